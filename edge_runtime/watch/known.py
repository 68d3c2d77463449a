"""What is known of a radiograph before the model is asked: its answer, or that of a file with the same bytes."""

import threading
from collections import Counter
from dataclasses import dataclass
from functools import partial
from typing import Final

import msgspec

from edge_runtime.answer import Answered, Opened
from edge_runtime.clock import Clock
from edge_runtime.finding import Finding, printable, timestamp
from edge_runtime.health.health import Health
from edge_runtime.journal.journal import Entry, Journal
from edge_runtime.model.classifier import Classifier
from edge_runtime.sinks.files import ResultsFolder
from edge_runtime.sources import Work
from edge_runtime.watch.insist import Insistence

_TICK_SECONDS: Final = 0.25

Earlier = tuple[bytes, Finding]
"""A finding that a crash left without its row, and its file."""


@dataclass(frozen=True, slots=True, eq=False)
class Original:
    """The answer to a file with the same bytes.

    Attributes:
        id: Its row in the journal.
        finding: As it lies on the disk.
        heatmap: The bytes of its heat map; ``None`` where none are wanted.
    """

    id: int
    finding: Finding
    heatmap: bytes | None


Known = Entry | Earlier | Original


class InHand:
    """Names and contents on their way from the reader to the journal, which does not know them yet."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._counts: Counter[bytes | str] = Counter()

    def take(self, work: Work, sha256: str | None) -> None:
        """This file is on its way now."""
        with self._changed:
            self._counts.update(_keys(work, sha256))

    def put_down(self, work: Work, sha256: str | None) -> None:
        """The journal knows it, or never will."""
        with self._changed:
            for key in _keys(work, sha256):
                if self._counts[key] > 1:
                    self._counts[key] -= 1
                else:
                    self._counts.pop(key, None)
            self._changed.notify_all()

    def wait_for(self, work: Work, sha256: str | None, seconds: float) -> bool:
        """Whether nothing of this name or content is on its way, after so long at most."""
        with self._changed:
            return self._changed.wait_for(lambda: not any(key in self._counts for key in _keys(work, sha256)), seconds)


def _keys(work: Work, sha256: str | None) -> tuple[bytes | str, ...]:
    return (work.key,) if sha256 is None else (work.key, sha256)


class Memory:
    """Looks things up in the journal and among the findings, in the order in which radiographs are read.

    Args:
        record: The findings.
        journal: The rows.
        in_hand: What neither of them knows yet is waited for, so that nothing is answered twice.
        insistence: For a disk that refuses.
        health: Told, while that lasts, that this thread lives.
        stop: Ends the waiting.
    """

    def __init__(
        self,
        record: ResultsFolder,
        journal: Journal,
        in_hand: InHand,
        insistence: Insistence,
        health: Health,
        stop: threading.Event,
    ) -> None:
        self._record, self._journal, self._in_hand = record, journal, in_hand
        self._insistence, self._health, self._stop = insistence, health, stop

    def look_up(self, work: Work, opened: Opened, classifier: Classifier) -> Known | None:
        """What is known of a file that has been read; from now on it is in hand."""
        while not self._in_hand.wait_for(work, opened.sha256, _TICK_SECONDS) and not self._stop.is_set():
            if self._health.is_paused:
                self._health.moved("read-ahead")
        known = self._insistence.until_done(
            partial(self._find, work, opened, classifier), idle=partial(self._health.moved, "read-ahead")
        )
        self._in_hand.take(work, opened.sha256)
        return known

    def _find(self, work: Work, opened: Opened, classifier: Classifier) -> Known | None:
        entry = None if opened.sha256 is None else self._journal.find(work.key, opened.sha256)
        if entry is not None:
            return entry
        left_over = self._record.find(
            work.key, printable(work.source), opened.sha256, lambda file: self._journal.holds(work.key, file)
        )
        return left_over or self._find_original(opened, classifier)

    def _find_original(self, opened: Opened, classifier: Classifier) -> Original | None:
        if opened.sha256 is None or opened.pixels is None:
            return None  # refused without the model, which says why at once
        same = self._journal.find_same(
            opened.sha256, classifier.bundle.sha256, classifier.operating_point, classifier.engine.name
        )
        if same is None:
            return None
        answered = self._record.answered(same.finding)
        if answered is None or answered[0].sha256 != opened.sha256:
            return None  # taken away by now, or something else
        return Original(same.id, *answered)


def answer_again(original: Original, opened: Opened, *, clock: Clock) -> Answered:
    """The answer to a file with the same bytes, as the answer to this one."""
    finding = msgspec.structs.replace(
        original.finding,
        source=printable(opened.source),
        same_as=original.finding.source,
        received=timestamp(opened.received),
        finished=timestamp(clock.now()),
        milliseconds={stage: round(milliseconds, 3) for stage, milliseconds in opened.milliseconds.items()},
        heatmap=None,
    )
    return Answered(finding, None, None, original.heatmap, original.id)
