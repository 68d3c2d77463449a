"""The three stages of ``watch`` joined: read ahead, infer, write behind."""

import threading
from collections.abc import Callable, Sequence
from contextlib import closing
from functools import partial
from typing import Protocol

from edge_runtime.answer import Inferred, Opened, conclude, infer
from edge_runtime.clock import Clock
from edge_runtime.health.health import Health
from edge_runtime.journal.journal import Journal
from edge_runtime.model.classifier import Classifier
from edge_runtime.radiograph.decode import Decode
from edge_runtime.sinks import Sink
from edge_runtime.sinks.files import ResultsFolder
from edge_runtime.sources import Source
from edge_runtime.watch.ahead import Ahead, read_ahead
from edge_runtime.watch.behind import GROUP, Chores, Outcome, WriteBehind
from edge_runtime.watch.insist import Insistence, InterruptedPauseError
from edge_runtime.watch.known import InHand, Known, Memory, Original, answer_again


class Infer(Protocol):
    """``answer.infer``, or what does more than that."""

    def __call__(self, opened: Opened, classifier: Classifier, *, clock: Clock) -> Inferred | None:
        """Ask the engine; ``None`` for a file that was refused."""
        ...


def answer_all(
    source: Source,
    current: Callable[[], Classifier],
    record: ResultsFolder,
    journal: Journal,
    *,
    sinks: Sequence[Sink],
    stop: threading.Event,
    clock: Clock,
    health: Health,
    insistence: Insistence,
    ask: Infer = infer,
    decoder: Decode | None = None,
    chores: Chores | None = None,
    group: int = GROUP,
) -> None:
    """Answer the source's work until it is drained or ``stop`` is set. The engine is used in this thread alone.

    Args:
        source: The work.
        current: What answers from now on, asked once a radiograph.
        record: Where findings go.
        journal: Where rows go.
        sinks: Told each new answer, in the thread that writes.
        stop: Set from anywhere to return once what is being written has been.
        clock: What time it is.
        health: Told that each thread lives, and of each answer.
        insistence: For a disk that refuses.
        ask: What asks the engine.
        decoder: What decodes; ``None`` for what decodes in this process.
        chores: What the thread that writes does between answers.
        group: How many answers are written together, at most.

    Raises:
        GivenUpError: Something could not be written for too long.
        sqlite3.Error: The journal is damaged.
    """
    in_hand = InHand()
    memory = Memory(record, journal, in_hand, insistence, health, stop)
    ahead = read_ahead(source, current, clock, stop, look_up=memory.look_up, health=health, decoder=decoder)
    behind = WriteBehind(
        source,
        record,
        journal,
        sinks,
        stop,
        in_hand=in_hand,
        insistence=insistence,
        health=health,
        chores=chores,
        group=group,
    )
    try:
        with closing(ahead), behind:
            for item in ahead:
                behind.put(_outcome(item, ask, clock))
                health.beat()
                del item  # else the picture, and a model that was exchanged, stay in memory until the next one
                if stop.is_set():
                    break
    except InterruptedPauseError:
        pass  # the end was asked for while the disk refused; what is in hand is answered at the next start


def _outcome(item: Ahead[Known | None], ask: Infer, clock: Clock) -> Outcome:
    work, opened, known = item.work, item.opened, item.known
    if isinstance(known, Original):
        return Outcome(work, opened.sha256, partial(answer_again, known, opened, clock=clock))
    if known is not None:
        return Outcome(work, opened.sha256, known)
    inferred = ask(opened, item.classifier, clock=clock)
    return Outcome(work, opened.sha256, partial(conclude, opened, inferred, item.classifier, clock=clock))
