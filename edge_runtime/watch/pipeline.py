"""The three stages of ``watch`` joined: read ahead, infer, write behind."""

import threading
from collections.abc import Callable, Sequence
from contextlib import closing
from functools import partial
from typing import Protocol

import msgspec

from edge_runtime.answer import Inferred, Opened, Screen, conclude, infer
from edge_runtime.clock import Clock
from edge_runtime.health.health import Health
from edge_runtime.journal.journal import Journal
from edge_runtime.model.classifier import Classifier
from edge_runtime.radiograph.decode import Abandoned, Decode
from edge_runtime.sinks import Sink
from edge_runtime.sinks.files import ResultsFolder
from edge_runtime.sources import Source
from edge_runtime.watch.ahead import Ahead, Underway, read_ahead
from edge_runtime.watch.behind import GROUP, Chores, WriteBehind
from edge_runtime.watch.insist import Insistence, InterruptedPauseError
from edge_runtime.watch.known import InHand, Known, Memory, Original, answer_again
from edge_runtime.watch.outcome import Outcome


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
    screen: Screen | None = None,
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
        screen: What looks through the gate; likewise.
        chores: What the thread that writes does between answers.
        group: How many answers are written together, at most.

    Raises:
        GivenUpError: Something could not be written for too long.
        sqlite3.Error: The journal is damaged.
    """
    in_hand = InHand()
    memory = Memory(record, journal, in_hand, insistence, health, stop)
    underway = Underway()
    ahead = read_ahead(
        source,
        current,
        clock,
        stop,
        look_up=memory.look_up,
        health=health,
        decoder=decoder,
        screen=screen,
        underway=underway,
    )
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
        is_more=underway.is_any,
    )
    try:
        with closing(ahead), behind:
            for item in ahead:
                outcome = _outcome(item, ask, clock, is_drawn=record.heatmaps)
                underway.inferred += 1
                behind.put(outcome)
                health.beat()
                del item, outcome  # else the picture, and a model that was exchanged, stay in memory until the next one
                if stop.is_set():
                    break
    except Abandoned:
        pass  # the end was asked for
    except InterruptedPauseError:
        pass  # the end was asked for while the disk refused; what is in hand is answered at the next start


def _outcome(item: Ahead[Known | None], ask: Infer, clock: Clock, *, is_drawn: bool) -> Outcome:
    work, known, unscreened = item.work, item.known, item.unscreened
    early: Inferred | None = None
    if known is None and not item.is_screened:  # nothing else is to be done
        early = ask(unscreened, item.classifier, clock=clock)
    opened = item.opened
    inferred = early if opened.pixels is unscreened.pixels else None
    if known is None and inferred is None:
        inferred = ask(opened, item.classifier, clock=clock)
    # What waits to be written holds no picture that nobody looks at any more.
    opened = msgspec.structs.replace(opened, pixels=None, grey=opened.grey if is_drawn and known is None else None)
    if known is None:
        return Outcome(work, opened.sha256, partial(conclude, opened, inferred, item.classifier, clock=clock))
    if isinstance(known, Original):
        return Outcome(work, opened.sha256, partial(answer_again, known, opened, clock=clock))
    return Outcome(work, opened.sha256, known)
