"""When is a file completely written? The rules, apart from any folder, clock or event queue."""

import contextlib
import heapq
import os
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Literal

from edge_runtime.file_state import FileState

DEFAULT_DELAY = 0.8
"""Seconds a file must lie unchanged.

Long enough for the pauses between two programs that write one file (a copy, then its time stamps or a tag), short
enough that its answer is on the disk within a second. A pause inside one copy does not matter: its file is still open.
"""

PATIENCE = 30.0
"""Seconds to wait for the writer of an unchanging file to close it, before its close event is taken for lost."""

UNHEARD_SECONDS = 5.0
"""Seconds a file must lie unchanged of which something may have gone unheard."""

LULL_SECONDS = 0.1
"""Seconds after which a file that was closed is most likely complete: a time stamp or a name may be set until then."""

LIMIT = 8192
"""Files tracked at once. What does not fit is found by the next look through the folder."""

# Of so many closed files, the last, it is remembered when that was.
_MOST_CLOSED = 64

Order = Literal["oldest", "newest"]


def rank(order: Order, state: FileState) -> int:
    """Where a file stands among others: the least comes first."""
    return state.mtime_ns if order == "oldest" else -state.mtime_ns


class Heard(Enum):
    """What an event of the folder told of a file."""

    CREATED = "it was created, linked or moved in"
    FOUND = "it lay in a new folder when that could first be listened to"
    WRITTEN = "something was written to it"
    COMPLETE = "this program has put it there, complete and on the disk"
    CLOSED = "who wrote to it closed it, or moved it from one name to another"


@dataclass(slots=True)
class _Tracked:
    state: FileState
    writer: Literal["none", "open", "unknown", "ours"]
    due: float
    is_ready: bool = False


class Settling:
    """The files that have been noticed and are not complete yet.

    A file is complete when all of these hold:

    1. It still exists. One that is gone, or cannot be looked at just now, is forgotten; if it comes back, it is noticed
       again.
    2. Its size, modification time and inode were the same at two looks at least ``delay`` seconds apart, by a clock
       that nobody sets.
    3. No event of a write, a creation or a move was heard between these looks. Each one starts the wait anew, because
       time stamps are coarse (4 ms on ext4, 2 s on FAT): a write can leave size and time as they were.
    4. No writer is known to hold it open: since the last event of a write, or since an empty file was created, the file
       has been closed, or nothing has happened for ``patience`` seconds (events can be lost, and a close with them).
    5. A file that lay in a new folder before that could be listened to has lain unchanged for 5 seconds, or been closed
       since: its writer may have begun unheard.

    A file that this program has put there itself waits for none of them but the first.

    A file is handed out once and then forgotten: what happens to it later is a new notice, by the same rules. Of the
    complete ones the oldest, or the newest, by modification time is handed out first; a file that is still being
    written keeps none of them waiting.

    Closing a file or moving it into place ends the wait of rule 4 and does not shorten that of rule 2: a scanner that
    appends in three goes closes its file three times, and a finished download may be moved into place before its time
    stamp is set. Nor does an old modification time shorten it: a share's clock may be wrong, and a program that keeps
    the times of what it copies may set them first.

    Args:
        delay: Seconds of rule 2; also of rule 5, where that is longer.
        order: Which of the complete files is handed out first.
        patience: Seconds of rule 4.
        limit: How many files are tracked at once.
        stat: Looks at a file.
    """

    def __init__(
        self,
        delay: float = DEFAULT_DELAY,
        *,
        order: Order = "oldest",
        patience: float = PATIENCE,
        limit: int = LIMIT,
        stat: Callable[[str], os.stat_result] = os.lstat,
    ) -> None:
        self.order = order
        self.limit = limit
        self._delay = self._least_delay = delay
        self._patience = max(patience, delay)
        self._stat = stat
        self._tracked: dict[str, _Tracked] = {}
        # (due, order, path); an entry whose due time is no longer the file's is stale and skipped.
        self._queue: list[tuple[float, int, str]] = []
        # (rank, count, path) of files whose wait is over; stale where the file is tracked no more, or waits again.
        self._ready: list[tuple[int, int, str]] = []
        # (when, due, path) of files that were closed, in that order; stale as in the queue.
        self._closed: deque[tuple[float, float, str]] = deque(maxlen=_MOST_CLOSED)
        self._count = 0

    def __len__(self) -> int:
        return len(self._tracked)

    def __contains__(self, path: str) -> bool:
        return path in self._tracked

    @property
    def room(self) -> int:
        """How many more files can be tracked."""
        return self.limit - len(self._tracked)

    def lengthen(self, delay: float | None) -> None:
        """From now on let files lie unchanged for so long, if that is longer than wanted; ``None`` ends that.

        Where no events are heard, nothing but the time that a file lies unchanged tells that its writer is done.
        """
        self._delay = self._least_delay if delay is None else max(self._least_delay, delay)
        self._patience = max(self._patience, self._delay)

    def change(self, delay: float, order: Order) -> None:
        """Follow other rules from now on; what ``lengthen`` said has to be said again.

        With another order, files that are complete are forgotten, to be found again in it. Those that are being written
        stay known as such.
        """
        self._delay = self._least_delay = delay
        self._patience = max(self._patience, delay)
        if order != self.order:
            for path in [path for path, tracked in self._tracked.items() if tracked.is_ready]:
                self.forget(path)
            self.order = order

    def track(self, path: str, now: float, *, heard: Heard | None = None) -> bool:
        """Notice a file.

        Args:
            path: The file; it is looked at now and when its wait is over.
            now: Seconds by a monotonic clock.
            heard: What an event told, or ``None`` where the file was merely found: that is no sign of a change.

        Returns:
            ``False`` when there was no room for it.
        """
        tracked = self._tracked.get(path)
        if tracked is None and self.room <= 0:
            return False
        if tracked is not None and heard is None:
            return True
        try:
            state = FileState.of(self._stat(path))
        except OSError:
            self.forget(path)
            return True
        if tracked is None:
            tracked = self._tracked[path] = _Tracked(state, "none", now)
        tracked.state = state
        if heard is Heard.WRITTEN or (heard is Heard.CREATED and state.size == 0):
            tracked.writer = "open"
        elif heard is Heard.CLOSED and tracked.writer != "ours":  # what is heard then is how it came there
            tracked.writer = "none"
        elif heard is Heard.COMPLETE:
            tracked.writer = "ours"
        elif heard is Heard.FOUND and tracked.writer == "none":
            tracked.writer = "unknown"
        self._await(path, tracked, now)
        if heard is Heard.CLOSED:
            self._closed.append((now, tracked.due, path))
        return True

    def forget(self, path: str) -> None:
        self._tracked.pop(path, None)

    def due(self) -> float | None:
        """When ``take`` has something to look at again, by the same clock; ``None`` while nothing is tracked."""
        self._drop_stale()
        if self._ready:
            path = self._ready[0][2]
            return self._tracked[path].due
        return self._queue[0][0] if self._queue else None

    def closed(self, now: float) -> tuple[str, FileState] | None:
        """A file that was closed a moment ago and is not known to be complete yet, once for each time; or ``None``."""
        while self._closed and self._closed[0][0] + LULL_SECONDS <= now:
            _, due, path = self._closed.popleft()
            tracked = self._tracked.get(path)
            if tracked is not None and not tracked.is_ready and tracked.due == due:
                with contextlib.suppress(OSError):
                    return path, FileState.of(self._stat(path))  # its times may have been set since
        return None

    def closed_due(self) -> float | None:
        """When ``closed`` has something to look at."""
        return self._closed[0][0] + LULL_SECONDS if self._closed else None

    def take(self, now: float) -> tuple[str, FileState] | None:
        """Hand out one file that is complete, the first by the order, or ``None``."""
        while True:
            self._make_ready(now)
            self._drop_stale()
            if not self._ready:
                return None
            path = heapq.heappop(self._ready)[2]
            tracked = self._tracked[path]
            try:
                state = FileState.of(self._stat(path))
            except OSError:
                self.forget(path)
                continue
            if state.same_content(tracked.state):
                self.forget(path)
                return path, state
            tracked.state = state
            self._await(path, tracked, now)

    def _make_ready(self, now: float) -> None:
        while self._queue and self._queue[0][0] <= now:
            entry = heapq.heappop(self._queue)
            if self._is_waiting(entry):
                tracked = self._tracked[entry[2]]
                tracked.is_ready = True
                heapq.heappush(self._ready, (rank(self.order, tracked.state), self._number(), entry[2]))
                self._shrink()

    def _await(self, path: str, tracked: _Tracked, now: float) -> None:
        waits = {"none": self._delay, "open": self._patience, "unknown": max(self._delay, UNHEARD_SECONDS), "ours": 0.0}
        tracked.due = now + waits[tracked.writer]
        tracked.is_ready = False
        heapq.heappush(self._queue, (tracked.due, self._number(), path))
        self._shrink()

    def _number(self) -> int:
        self._count += 1
        return self._count

    def _is_waiting(self, entry: tuple[float, int, str]) -> bool:
        due, _, path = entry
        tracked = self._tracked.get(path)
        return tracked is not None and not tracked.is_ready and tracked.due == due

    def _is_ready(self, entry: tuple[int, int, str]) -> bool:
        place, _, path = entry
        tracked = self._tracked.get(path)
        return tracked is not None and tracked.is_ready and rank(self.order, tracked.state) == place

    def _drop_stale(self) -> None:
        while self._queue and not self._is_waiting(self._queue[0]):
            heapq.heappop(self._queue)
        while self._ready and not self._is_ready(self._ready[0]):
            heapq.heappop(self._ready)

    def _shrink(self) -> None:
        # A file written to for hours leaves one stale entry an event behind.
        if len(self._queue) > 2 * self.limit:
            self._queue = [entry for entry in self._queue if self._is_waiting(entry)]
            heapq.heapify(self._queue)
        if len(self._ready) > 2 * self.limit:
            self._ready = [entry for entry in self._ready if self._is_ready(entry)]
            heapq.heapify(self._ready)
