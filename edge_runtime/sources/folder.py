"""A folder, and all below it, as a source of radiographs."""

import os
import stat
import threading
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Literal

from edge_runtime.config.settings import WatchSettings
from edge_runtime.errors import ImageError, UsageError
from edge_runtime.file_state import FileState
from edge_runtime.finding import printable
from edge_runtime.health.health import Health
from edge_runtime.sources import Work
from edge_runtime.sources.attempts import READ_SECONDS, Attempts
from edge_runtime.sources.events import FolderEvents
from edge_runtime.sources.listening import Listening
from edge_runtime.sources.looks import First, Looks
from edge_runtime.sources.patience import Patience
from edge_runtime.sources.reading import Unread
from edge_runtime.sources.retry import Retries
from edge_runtime.sources.scan import Bounds, walk
from edge_runtime.sources.settle import Heard, Settling, rank
from edge_runtime.sources.step import Step, steps
from edge_runtime.sources.telling import Telling
from edge_runtime.watch.disposal import Disposal

RESCAN_SECONDS: Final = 60.0
"""How often the folder is looked through for what the events missed."""

POLL_SECONDS: Final = 5.0
"""The same where there are no events."""

MAX_BYTES: Final = 512 * 10**6
"""A larger file is refused unread. The largest detectors in use give about 40 MB uncompressed."""

# The kernel keeps 16,384 events by default; after so many some may have been lost.
_BURST = 1000
_TICK_SECONDS = 0.25
_SCAN_STEP = 512
# So often a folder of which nothing can be read is let rest before ``once`` gives it up.
_MOST_RESTS = 6
_OVER = object()

Knows = Callable[[bytes, FileState], bool]


class FolderSource:
    """Yields every file of a folder once it is complete and as long as its content has not been answered.

    1. What is hidden, has a temporary suffix, is a system file or a heat map is ignored; so is all in such a folder.
    2. Every other file is yielded, whatever its name: its content decides whether it is a radiograph.
    3. Symbolic links, pipes, sockets and devices are yielded, and ``read`` refuses them: they are never followed or
       opened.
    4. A file is yielded when it is complete by the rules of ``Settling``.
    5. Of the complete files the oldest, or the newest, comes first (``Settling.order``). At most ``settle.LIMIT`` files
       are held in memory; those that come after them are found again when these are done.
    6. A look through the folder at the start, every ``rescan`` seconds, and after many events finds what the events
       have missed; every ``poll`` seconds where they cannot be relied on (``Listening``).
    7. A file that cannot be read for a reason that may pass is tried again by the rules of ``Retries``.
    8. A folder that does not answer is waited for, and said to be; a single read that does not return is left behind.
    9. With ``foretell``, a file that was closed is yielded while it settles, too, once each time, when nothing else is
       to be done. ``Work.is_settling`` tells that from a complete one.

    Args:
        folder: The folder.
        knows: Whether this content of this file has been answered.
        exclude: Folders that are left out with everything below them, such as the results.
        once: End when everything has been yielded, and nothing waits; or whether to by now, where more is to come.
        foretell: Whether what settles is yielded as well.
        settling: The rules for complete files.
        events: Makes what collects the events of the folder, and sets the flag it is given when there are some.
        rescan: Seconds between two looks through the folder.
        poll: The same where events cannot be relied on.
        max_bytes: A larger file is refused unread.
        read_seconds: How long a read may take.
        disposal: Moves each file that the journal knows; ``None`` where files stay where they are.
        monotonic: Seconds, by a clock that nobody sets.
        now: The time of day.
        note: Takes one sentence for the person who runs this.
        health: Told how the folder stands.
    """

    def __init__(
        self,
        folder: Path,
        knows: Knows,
        *,
        exclude: Sequence[Path] = (),
        once: bool | Callable[[], bool] = False,
        foretell: bool = False,
        settling: Settling | None = None,
        events: Callable[[Path, threading.Event], FolderEvents] = FolderEvents,
        listening: Callable[..., Listening] = Listening,
        rescan: float = RESCAN_SECONDS,
        poll: float = POLL_SECONDS,
        max_bytes: int = MAX_BYTES,
        read_seconds: float = READ_SECONDS,
        disposal: Disposal | None = None,
        monotonic: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        note: Callable[[str], None] = lambda _: None,
        health: Health | None = None,
    ) -> None:
        self._root = os.fspath(folder.resolve())
        self._knows, self._disposal = knows, disposal
        self._once = once if callable(once) else lambda: once
        self._foretell = foretell
        self._bounds = Bounds(self._root, tuple(os.fspath(one.resolve()) for one in exclude))
        self._settling = Settling() if settling is None else settling
        self._retries = Retries()
        self._looks = Looks(rescan, poll, monotonic())
        self._max_bytes, self._monotonic, self._now = max_bytes, monotonic, now
        self._health = Health() if health is None else health
        self._tell = Telling(self._root, note, self._health)
        self._attempts = Attempts(self._root, self._retries, self._tell, read_seconds, monotonic)
        self._wake = threading.Event()
        self._events = events(Path(self._root), self._wake)
        self._listening = listening(self._root, self._events, retry=max(rescan, RESCAN_SECONDS), monotonic=monotonic)
        self._patience: Patience | None = None
        self._taken: Step | None = None
        # Whether nothing has been found or heard of since a look through the folder began that may be the last.
        self._is_drained = False
        self._heard_by_look = 0
        # The rank of the last file that was found in the last look, where there was no room for those behind it.
        self._horizon: int | None = None
        self._in_flight: dict[str, FileState] = {}  # yielded and not done: the journal does not know them yet
        self._changed: list[str] = []  # while they were read
        self._wanted: tuple[WatchSettings, int] | None = None
        self._taken_over: tuple[WatchSettings, int] | None = None

    def work(self, stop: threading.Event) -> Iterator[Work]:
        patience = self._patience = Patience(stop, self._tell.waiting, monotonic=self._monotonic)
        taken = steps(self._find(stop), patience, self._step, self._left_behind)
        try:
            for step in taken:
                self._tell.answers()
                self._health.waiting(len(self._settling) + len(self._in_flight), self._looks.is_wanted)
                if stop.is_set():
                    break  # what has been found ahead is found again
                if step.work is not None:
                    self._taken = step
                    yield step.work
            if not stop.is_set():
                self._tell.answers()  # the last call has returned, too
        finally:
            self._patience = None
            self._wake.set()
            taken.close()

    def read(self, work: Work) -> bytes | OSError | ImageError | None:
        if work.is_settling:
            return self._attempts.peek(work, self._max_bytes, self._patience)
        taken, self._taken = self._taken, None
        if taken is not None and taken.work is work and taken.is_read:
            return taken.data
        return self._sorted(work, self._attempts.read(work, self._path(work.key), self._max_bytes, self._patience))

    def _step(self, found: Iterator[Work | None]) -> Step:
        return Step(found, self._read_at_once, self._attempts.seconds, self._monotonic)

    def _read_at_once(self, work: Work) -> bytes | OSError | ImageError | None:
        path = self._path(work.key)
        return self._sorted(work, self._attempts.read_at_once(work, path, self._max_bytes))

    def _left_behind(self, step: Step) -> None:
        assert step.work is not None
        step.data = self._sorted(step.work, self._attempts.left_behind(step.work, self._path(step.work.key)))
        step.is_read = True

    def _sorted(
        self, work: Work, found: bytes | OSError | ImageError | Unread | None
    ) -> bytes | OSError | ImageError | None:
        if found is not None and not isinstance(found, Unread):
            return found
        self._release(work)
        if found is Unread.CHANGED:
            self._changed.append(self._path(work.key))
        return None

    def change(self, settings: WatchSettings, max_bytes: int) -> None:
        """Take over other intervals, another order and another limit; may be called from any thread."""
        self._wanted = settings, max_bytes
        self._wake.set()

    def complete(self, name: bytes) -> None:
        """This program has put a file there, complete and on the disk; may be called from any thread."""
        self._events.tell(self._path(name), Heard.COMPLETE)

    def done(self, work: Work) -> None:
        if self._disposal is not None:
            self._disposal.dispose(work.key, work.state)
        self._release(work)

    def _release(self, work: Work) -> None:
        self._in_flight.pop(self._path(work.key), None)

    def _find(self, stop: threading.Event) -> Generator[Work | None, None, None]:
        """The work, and ``None`` now and then: each step is a call that may not return."""
        look: Iterator[None] | None = None
        try:
            while not stop.is_set():
                self._absorb()
                now = self._monotonic()
                if look is None:  # a look that has begun ends by the rules it began with
                    self._take_over(now)
                if look is None and self._is_look_due(now):
                    look = self._look_through()
                if look is not None and next(look, _OVER) is _OVER:
                    look = None
                    if self._is_over():
                        return
                complete = self._take(now)
                if complete is None and look is None:
                    if self._foretell and (settles := self._take_closed(now)) is not None:
                        yield settles
                        continue
                    self._sleep(now)
                    complete = self._take(self._monotonic())  # its wait may be over now
                self._is_drained &= complete is None
                yield None if complete is None else self._to_work(*complete)
        finally:
            self._events.stop()

    def _take(self, now: float) -> tuple[str, FileState] | None:
        return None if self._retries.is_resting(now) else self._settling.take(now)

    def _take_closed(self, now: float) -> Work | None:
        closed = None if self._retries.is_resting(now) else self._settling.closed(now)
        if closed is None or not stat.S_ISREG(closed[1].mode):
            return None
        path, state = closed
        name = path[len(self._root) + 1 :]
        if path in self._in_flight or self._knows(os.fsencode(name), state):
            return None
        return Work(printable(name), os.fsencode(name), state, self._now(), is_settling=True)

    def _take_over(self, now: float) -> None:
        wanted = self._wanted
        if wanted is None or wanted is self._taken_over:
            return
        self._taken_over = wanted
        settings, self._max_bytes = wanted
        self._settling.change(settings.settle, settings.order)
        self._looks.change(settings.rescan, settings.poll, now)
        self._horizon = None

    def _to_work(self, path: str, state: FileState) -> Work | None:
        if self._horizon is not None and rank(self._settling.order, state) > self._horizon:
            return None  # its turn is after others that the next look finds, and finds it, too
        if stat.S_ISDIR(state.mode) or self._standing(path, state) != "news":
            return None
        self._in_flight[path] = state
        name = path[len(self._root) + 1 :]
        return Work(printable(name), os.fsencode(name), state, self._now())

    def _standing(self, path: str, state: FileState) -> Literal["in hand", "answered", "news"]:
        # In this order: what is done leaves the first after it has entered the second.
        in_flight = self._in_flight.get(path)
        if in_flight is not None and in_flight.same_content(state):
            return "in hand"
        name = os.fsencode(path[len(self._root) + 1 :])
        if not self._knows(name, state):
            return "news"
        if self._disposal is not None:
            self._disposal.dispose(name, state)
        return "answered"

    def _path(self, key: bytes) -> str:
        return os.path.join(self._root, os.fsdecode(key))  # noqa: PTH118 (a name in any encoding stays a str)

    def _sleep(self, now: float) -> None:
        due = [self._looks.next, self._retries.due(), self._settling.due()]
        if self._retries.is_resting(now):
            due[2] = self._retries.rest_until()
        elif self._foretell:
            due.append(self._settling.closed_due())
        soonest = min(one for one in due if one is not None)
        self._wake.wait(min(max(soonest - now, 0.001), _TICK_SECONDS))
        self._wake.clear()

    # What the events tell, and what is to be looked at again

    def _absorb(self) -> None:
        hints, lost = self._events.drain()
        now = self._monotonic()
        self._is_drained &= not hints
        for path, heard in hints.items():
            if self._bounds.hold(path):
                self._retries.forget(path)
                lost |= not self._settling.track(path, now, heard=heard)
        if lost or self._events.count - self._heard_by_look >= _BURST:
            self._looks.is_wanted = True
        while self._changed:
            self._settling.track(self._changed.pop(), now)
        if (again := self._retries.take(now)) is not None:
            self._settling.track(again, now)

    # What a look through the folder finds

    def _is_look_due(self, now: float) -> bool:
        is_idle = len(self._settling) == 0 and not self._retries.is_resting(now)
        # ``once`` ends with a look that finds nothing.
        is_last = self._once() and is_idle and not self._retries.waiting
        return is_last or self._looks.is_due(now, is_idle=is_idle)

    def _is_over(self) -> bool:
        if self._once() and self._retries.rests > _MOST_RESTS:
            raise UsageError(f"{self._tell.failing()}; mend that and start again: the rest is answered then")
        return self._once() and self._is_drained and len(self._settling) == 0 and not self._retries.waiting

    def _look_through(self) -> Iterator[None]:
        """Look through the folder, in steps, so that what arrives meanwhile does not wait."""
        began, spent = self._monotonic(), 0.0
        if not self._is_there():
            self._looks.failed(began)
            return
        first = First(max(self._settling.limit // 2, 1))
        self._is_drained, self._looks.is_wanted, self._heard_by_look = self._once(), False, self._events.count
        walked = walk(self._root, self._bounds.leave_out, self._tell.cannot_look)
        for count, (path, state) in enumerate(walked, start=1):
            if state is not None and not self._retries.holds(path) and self._standing(path, state) == "news":
                first.add(rank(self._settling.order, state), path)
            if count % _SCAN_STEP == 0:
                spent += self._monotonic() - began
                yield
                began = self._monotonic()
        news = first.files()
        more = first.more
        self._horizon = news[-1][0] if more else None
        for _, path in news:
            more |= not self._settling.track(path, self._monotonic())
        self._is_drained &= not news
        self._tell.parked(self._retries)
        ended = self._monotonic()
        self._looks.ended(ended, spent + ended - began, is_polled=not self._listening.is_reliable, more=more)

    def _is_there(self) -> bool:
        """Listen to the folder, again if it has been away; whether it is there."""
        try:
            self._listening.attend()
        except OSError as error:
            if self._once():
                raise UsageError(f"{printable(self._root)} cannot be looked at any more: {error.strerror}.") from error
            self._tell.gone(error, self._looks.poll)
            return False
        self._tell.there(self._listening, self._looks.poll)
        self._settling.lengthen(None if self._listening.is_reliable else self._looks.poll)
        return True
