"""A folder, and all below it, as a source of radiographs."""

import errno
import heapq
import os
import stat
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from edge_runtime.errors import ImageError, UsageError
from edge_runtime.file_state import FileState
from edge_runtime.finding import printable
from edge_runtime.sources import Work
from edge_runtime.sources.events import FolderEvents
from edge_runtime.sources.scan import is_ignored, walk
from edge_runtime.sources.settle import Settling

RESCAN_SECONDS = 60.0
"""How often the folder is looked through for what the events missed."""

POLL_SECONDS = 5.0
"""The same where there are no events."""

MAX_BYTES = 512 << 20
"""A larger file is refused unread. The largest detectors in use give about 40 MB uncompressed."""

# Looking through the folder may take at most this part of the time.
_SCAN_SHARE = 0.05
# The kernel keeps 16,384 events by default; after a burst some may have been lost.
_BURST = 1000
_TICK_SECONDS = 0.25
_SCAN_STEP = 512
_OVER = object()

_KINDS = {
    stat.S_IFLNK: "a symbolic link, which is not followed: copy the file itself here",
    stat.S_IFIFO: "a named pipe, not a file",
    stat.S_IFSOCK: "a socket, not a file",
    stat.S_IFBLK: "a device, not a file",
    stat.S_IFCHR: "a device, not a file",
}

Knows = Callable[[bytes, FileState], bool]


class FolderSource:
    """Yields every file of a folder once it is complete and as long as its content has not been answered.

    1. What is hidden, has a temporary suffix, is a system file or a heat map is ignored; so is all in such a folder.
    2. Every other file is yielded, whatever its name: its content decides whether it is a radiograph.
    3. Symbolic links, pipes, sockets and devices are yielded, and ``read`` refuses them: they are never followed or
       opened.
    4. A file is yielded when it is complete by the rules of ``Settling``.
    5. Among files found together the oldest comes first. At most ``settle.LIMIT`` files are held in memory; the others
       are found again when those are done.
    6. A look through the folder at the start, every ``rescan`` seconds, and after many events finds what the events
       have missed.

    Args:
        folder: The folder.
        knows: Whether this content of this file has been answered.
        exclude: A folder that is left out with everything below it, such as the results.
        once: End when everything has been yielded, and nothing is waiting to become complete.
        settling: The rules for complete files.
        events: Makes what collects the events of the folder, and sets the flag it is given when there are some.
        rescan: Seconds between two looks through the folder.
        monotonic: Seconds, by a clock that nobody sets.
        now: The time of day.
        note: Takes one sentence for the person who runs this.
    """

    def __init__(
        self,
        folder: Path,
        knows: Knows,
        *,
        exclude: Path | None = None,
        once: bool = False,
        settling: Settling | None = None,
        events: Callable[[Path, threading.Event], FolderEvents] = FolderEvents,
        rescan: float = RESCAN_SECONDS,
        monotonic: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        note: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._root = os.fspath(folder.resolve())
        self._knows = knows
        self._exclude = None if exclude is None else os.fspath(exclude.resolve())
        self._once = once
        self._settling = Settling() if settling is None else settling
        self._wake = threading.Event()
        self._events = events(Path(self._root), self._wake)
        self._rescan = rescan
        self._poll = min(rescan, POLL_SECONDS)
        self._monotonic = monotonic
        self._now = now
        self._note = note
        self._noted: set[str] = set()
        self._next_scan = monotonic()
        self._scan_when_drained = False
        # Whether nothing has been found or heard of since the last look through the folder began.
        self._is_drained = False
        self._has_events: bool | None = None
        self._root_id: tuple[int, int] | None = None
        # Yielded and not done: the journal does not know them yet.
        self._in_flight: dict[str, FileState] = {}

    def work(self, stop: threading.Event) -> Iterator[Work]:
        look: Iterator[None] | None = None
        try:
            while not stop.is_set():
                self._absorb_events()
                if look is None and self._is_scan_due():
                    look = self._look_through()
                if look is not None and next(look, _OVER) is _OVER:
                    look = None
                    if self._once and self._is_drained and len(self._settling) == 0:
                        return
                complete = self._settling.take(self._monotonic())
                if complete is not None:
                    self._is_drained = False
                    yield from self._to_work(*complete)
                elif look is None:
                    self._sleep()
        finally:
            self._events.stop()

    def read(self, work: Work) -> bytes | OSError | ImageError | None:
        path = self._path(work)
        kind = _KINDS.get(stat.S_IFMT(work.state.mode))
        if kind is not None:
            return ImageError(kind)
        if work.state.size > MAX_BYTES:
            return ImageError(f"larger than {MAX_BYTES >> 20} MiB")
        try:
            # Not blocking and not following: the file may have been replaced by a pipe or a link in the meantime.
            with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC), "rb") as file:
                before = FileState.of(os.fstat(file.fileno()))
                data = file.read() if before.same_content(work.state) else b""
                after = FileState.of(os.fstat(file.fileno()))
        except FileNotFoundError:
            self._note(f"{work.source} was gone before it could be read")
            self.done(work)
            return None
        except OSError as error:
            if error.errno != errno.ELOOP:
                return error
        else:
            if after.same_content(work.state) and len(data) == after.size:
                return data
        # Somebody wrote to the file, or replaced it, after it had settled.
        self.done(work)
        self._settling.track(path, self._monotonic())
        return None

    def done(self, work: Work) -> None:
        self._in_flight.pop(self._path(work), None)

    def _to_work(self, path: str, state: FileState) -> Iterator[Work]:
        name = path[len(self._root) + 1 :]
        if self._is_news(path, state):
            self._in_flight[path] = state
            yield Work(printable(name), os.fsencode(name), state, self._now())

    def _is_news(self, path: str, state: FileState) -> bool:
        # In this order: what is done leaves the first after it has entered the second.
        in_flight = self._in_flight.get(path)
        if in_flight is not None and in_flight.same_content(state):
            return False
        return not self._knows(os.fsencode(path[len(self._root) + 1 :]), state)

    def _path(self, work: Work) -> str:
        return os.path.join(self._root, os.fsdecode(work.key))  # noqa: PTH118 (a name in any encoding stays a str)

    def _sleep(self) -> None:
        now = self._monotonic()
        due = min(self._settling.due() or self._next_scan, self._next_scan)
        self._wake.wait(min(max(due - now, 0.001), _TICK_SECONDS))
        self._wake.clear()

    # What the events tell

    def _absorb_events(self) -> None:
        hints, lost = self._events.drain()
        now = self._monotonic()
        self._is_drained &= not hints
        for path, heard in hints.items():
            if self._is_candidate(path) and not self._settling.track(path, now, heard=heard):
                lost = True
        if lost or len(hints) >= _BURST:
            self._scan_when_drained = True

    def _is_candidate(self, path: str) -> bool:
        if not path.startswith(self._root + os.sep) or self._is_excluded(path):
            return False
        return not any(is_ignored(part) for part in Path(path[len(self._root) + 1 :]).parts)

    def _is_excluded(self, path: str) -> bool:
        return self._exclude is not None and (path == self._exclude or path.startswith(self._exclude + os.sep))

    # What a look through the folder finds

    def _is_scan_due(self) -> bool:
        idle = len(self._settling) == 0
        return self._monotonic() >= self._next_scan or (idle and (self._scan_when_drained or self._once))

    def _look_through(self) -> Iterator[None]:
        """Look through the folder, in steps, so that what arrives meanwhile does not wait."""
        began, spent = self._monotonic(), 0.0
        if not self._listen():
            self._next_scan = began + self._poll
            return
        room = max(self._settling.room, 1)
        news: list[tuple[int, str]] = []
        more, self._is_drained = False, True
        for count, (path, state) in enumerate(walk(self._root, self._is_excluded, self._note_once), start=1):
            if state is not None and self._is_news(path, state):
                news.append((state.mtime_ns, path))
                if len(news) > 2 * room:
                    news, more = heapq.nsmallest(room, news), True
            if count % _SCAN_STEP == 0:
                spent += self._monotonic() - began
                yield
                began = self._monotonic()
        for _, path in sorted(news):
            more |= not self._settling.track(path, self._monotonic())
        self._is_drained &= not news
        self._scan_when_drained = more
        ended = self._monotonic()
        every = self._rescan if self._has_events else self._poll
        self._next_scan = ended + max(every, (spent + ended - began) / _SCAN_SHARE)

    def _listen(self) -> bool:
        """Start the events, or start them again after the folder has been away; returns whether the folder is there."""
        try:
            there = os.stat(self._root)  # noqa: PTH116
        except OSError as error:
            if self._once:
                raise UsageError(f"{self._root} cannot be looked at any more: {error.strerror}.") from error
            if self._root_id is not None:
                self._note(f"{self._root} is gone ({error.strerror}); it is looked for every {self._poll:.0f} s")
            self._root_id = None
            return False
        root_id = (there.st_dev, there.st_ino)
        if root_id != self._root_id or not self._events.alive:
            error_or_none = self._events.start()
            self._root_id = root_id
            self._has_events = error_or_none is None
            if error_or_none is not None:
                self._note_once(
                    f"no events from {self._root} ({error_or_none.strerror or error_or_none}): "
                    f"it is looked through every {self._poll:.0f} s instead"
                )
        return True

    def _note_once(self, sentence: str) -> None:
        if sentence not in self._noted:
            self._noted.add(sentence)
            self._note(sentence)
