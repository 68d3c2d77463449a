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
from edge_runtime.watch.ahead import Underway, read_ahead
from edge_runtime.watch.behind import GROUP, Chores, WriteBehind
from edge_runtime.watch.foresight import Foreseen, Foresight
from edge_runtime.watch.insist import Insistence, InterruptedPauseError
from edge_runtime.watch.known import InHand, Known, Memory, Original, answer_again
from edge_runtime.watch.opening import Ahead
from edge_runtime.watch.outcome import Outcome
from edge_runtime.watch.prepared import Prepared


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
    foresight = Foresight(lambda: record.heatmaps, clock=clock)
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
        foresight=foresight,
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
                if isinstance(item, Foreseen):
                    item.ask(partial(_inferred, ask=ask, clock=clock), behind.draw, clock=clock)
                else:
                    outcome = _outcome(item, ask, clock, is_drawn=record.heatmaps)
                    underway.inferred += 1
                    behind.put(outcome)
                    del outcome
                health.beat()
                del item  # else the picture, and a model that was exchanged, stay in memory until the next one
                if stop.is_set():
                    break
    except Abandoned:
        pass  # the end was asked for
    except InterruptedPauseError:
        pass  # the end was asked for while the disk refused; what is in hand is answered at the next start


def _outcome(item: Ahead[Known | None], ask: Infer, clock: Clock, *, is_drawn: bool) -> Outcome:
    work, known, prepared, foreseen = item.work, item.known, item.prepared, item.foreseen
    sha256 = prepared.unscreened.sha256
    if isinstance(known, Original):
        opened = msgspec.structs.replace(prepared.unscreened, pixels=None, grey=None)
        return Outcome(work, sha256, partial(answer_again, known, opened, clock=clock))
    if known is not None:
        return Outcome(work, sha256, known)
    if foreseen is not None:
        read = prepared.unscreened.milliseconds["read"]
        return Outcome(work, sha256, partial(foreseen.answer_to, work, read, clock=clock), is_drawn=True)
    opened, inferred = _inferred(prepared, ask=ask, clock=clock)
    # What waits to be written holds no picture that nobody looks at any more.
    opened = msgspec.structs.replace(opened, pixels=None, grey=opened.grey if is_drawn else None)
    return Outcome(work, sha256, partial(conclude, opened, inferred, prepared.classifier, clock=clock))


def _inferred(prepared: Prepared, *, ask: Infer, clock: Clock) -> tuple[Opened, Inferred | None]:
    """A radiograph, screened, and what the engine said of it."""
    unscreened = prepared.unscreened
    early: Inferred | None = None
    if not prepared.is_screened:  # nothing else is to be done
        early = ask(unscreened, prepared.classifier, clock=clock)
    opened = prepared.opened
    if opened.pixels is unscreened.pixels and early is not None:
        return opened, early
    return opened, ask(opened, prepared.classifier, clock=clock)
