"""What an answer takes, done while its file settles.

A file that its writer has closed is answered when it has lain unchanged for most of a second. In that time its answer
is prepared: the file is read, decoded, screened and inferred, and the heat map drawn. When the file is complete it is
read again, as any other. Where it then holds the same bytes, and the same model is to answer, what was prepared is
taken. Where it does not, nothing of it is. So no answer rests on what a file held before it was complete, and who waits
for it waits for the writing alone.
"""

import hashlib
import threading
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from typing import Final

import msgspec

from edge_runtime.answer import Answered, Inferred, Opened, conclude, drawn
from edge_runtime.clock import Clock
from edge_runtime.errors import ImageError
from edge_runtime.finding import Finding, timestamp
from edge_runtime.model.classifier import Classifier
from edge_runtime.sources import Work
from edge_runtime.watch.prepared import Prepared

MOST: Final = 4
"""Answers that are prepared, at most. Of many files that arrive together the first ones hide the wait for all."""

KEPT_SECONDS: Final = 60.0
"""What was prepared so long ago makes room: its file was taken away, or is still being written."""

Draw = Callable[[Callable[[], bytes | None]], Future[bytes | None]]


class Foreseen:
    """What has been prepared of one file; the engine is asked once it has been handed on.

    Args:
        key: The file's name, byte for byte.
        prepared: Its content.
        is_drawn: Whether its heat map is to be drawn.
        since: When that was, in seconds.
    """

    def __init__(self, key: bytes, prepared: Prepared, *, is_drawn: bool, since: float) -> None:
        self.key, self.is_drawn, self.since = key, is_drawn, since
        self.sha256, self.classifier = prepared.unscreened.sha256, prepared.classifier
        self._prepared: Prepared | None = prepared
        self._unscreened = msgspec.structs.replace(prepared.unscreened, grey=None)
        self._finding: Finding | None = None
        self._picture: Future[bytes | None] | None = None

    def ask(self, ask: Callable[[Prepared], tuple[Opened, Inferred | None]], draw: Draw, *, clock: Clock) -> None:
        """Ask the engine, and have the heat map drawn."""
        assert self._prepared is not None
        answered = conclude(*ask(self._prepared), self.classifier, clock=clock)
        self._prepared = None  # the picture with it
        self._picture = draw(partial(drawn, answered)) if self.is_drawn else None
        self._finding = answered.finding

    def prepared_for(self, work: Work, read_milliseconds: float) -> Prepared:
        """The content of the file now that it is complete; not screened, and without the picture."""
        stages = _with_read(self._unscreened.milliseconds, read_milliseconds)
        opened = msgspec.structs.replace(
            self._unscreened, source=work.source, received=work.received, milliseconds=stages
        )
        return Prepared(opened, None, self.classifier)

    def answer_to(self, work: Work, read_milliseconds: float, *, clock: Clock) -> Answered:
        """The answer to the file now that it is complete; waits for its heat map."""
        finding = self._finding
        assert finding is not None  # the engine is asked in the order in which files were read
        finding = msgspec.structs.replace(
            finding,
            received=timestamp(work.received),
            finished=timestamp(clock.now()),
            milliseconds=_with_read(finding.milliseconds, round(read_milliseconds, 3)),
        )
        return Answered(finding, None, None, None if self._picture is None else self._picture.result())


class Foresight:
    """Keeps what has been prepared until its file is complete. May be used by any thread.

    Args:
        are_drawn: Whether heat maps are, at present.
        clock: For the time that something is kept.
    """

    def __init__(self, are_drawn: Callable[[], bool], *, clock: Clock) -> None:
        self._are_drawn, self._clock = are_drawn, clock
        self._lock = threading.Lock()
        self._foreseen: dict[bytes, Foreseen] = {}

    def has_room(self, key: bytes) -> bool:
        """Whether the answer to this file is to be prepared; what was for an earlier content of it is forgotten."""
        with self._lock:
            self._foreseen.pop(key, None)
            if len(self._foreseen) < MOST:
                return True
            first = next(iter(self._foreseen.values()))
            if self._clock.seconds() - first.since < KEPT_SECONDS:
                return False
            del self._foreseen[first.key]
            return True

    def keep(self, key: bytes, prepared: Prepared) -> Foreseen:
        """Remember this until ``take``."""
        foreseen = Foreseen(key, prepared, is_drawn=self._are_drawn(), since=self._clock.seconds())
        with self._lock:
            self._foreseen[key] = foreseen
        return foreseen

    def take(self, key: bytes, data: bytes | OSError | ImageError, classifier: Classifier) -> Foreseen | None:
        """What was prepared for this content of the file and this model, and is forgotten here from now on."""
        with self._lock:
            foreseen = self._foreseen.pop(key, None)
        if foreseen is None or foreseen.classifier is not classifier or foreseen.is_drawn != self._are_drawn():
            return None
        is_same = isinstance(data, bytes) and hashlib.sha256(data).hexdigest() == foreseen.sha256
        return foreseen if is_same else None


def _with_read(stages: dict[str, float], milliseconds: float) -> dict[str, float]:
    """The time of each stage, and in total, with another one for reading."""
    total = stages["total"] - stages["read"] + milliseconds
    return stages | {"read": milliseconds, "total": round(total, 3)}
