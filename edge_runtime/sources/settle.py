"""When is a file completely written? The rules, apart from any folder, clock or event queue."""

import heapq
import os
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from edge_runtime.file_state import FileState

DEFAULT_DELAY = 1.0
"""Seconds a file must lie unchanged.

Long enough for the pauses inside one copy (a network hiccup, a scanner between two blocks), short enough that a person
who waits for the answer does not notice it next to walking to the screen.
"""

PATIENCE = 30.0
"""Seconds to wait for the writer of an unchanging file to close it, before its close event is taken for lost."""

LIMIT = 4096
"""Files tracked at once. What does not fit is found by the next look through the folder."""


class Heard(Enum):
    """What an event of the folder told of a file."""

    CREATED = "it was created, linked or moved in"
    WRITTEN = "something was written to it"
    CLOSED = "who wrote to it closed it, or moved it from one name to another"


@dataclass(slots=True)
class _Tracked:
    state: FileState
    being_written: bool
    due: float


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

    A file is handed out once and then forgotten: what happens to it later is a new notice, by the same rules.

    Closing a file or moving it into place ends the wait of rule 4 and does not shorten that of rule 2: a scanner that
    appends in three goes closes its file three times, and a finished download may be moved into place before its time
    stamp is set. Nor does an old modification time shorten it: a share's clock may be wrong, and a program that keeps
    the times of what it copies may set them first.
    """

    def __init__(
        self,
        delay: float = DEFAULT_DELAY,
        *,
        patience: float = PATIENCE,
        limit: int = LIMIT,
        stat: Callable[[str], os.stat_result] = os.lstat,
    ) -> None:
        self._delay = delay
        self._patience = max(patience, delay)
        self._limit = limit
        self._stat = stat
        self._tracked: dict[str, _Tracked] = {}
        # (due, order, path); an entry whose due time is no longer the file's is stale and skipped.
        self._queue: list[tuple[float, int, str]] = []
        self._order = 0

    def __len__(self) -> int:
        return len(self._tracked)

    def __contains__(self, path: str) -> bool:
        return path in self._tracked

    @property
    def room(self) -> int:
        """How many more files can be tracked."""
        return self._limit - len(self._tracked)

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
            tracked = self._tracked[path] = _Tracked(state, False, now)
        tracked.state = state
        if heard is Heard.CREATED:
            tracked.being_written |= state.size == 0
        elif heard is not None:
            tracked.being_written = heard is Heard.WRITTEN
        self._await(path, tracked, now)
        return True

    def forget(self, path: str) -> None:
        self._tracked.pop(path, None)

    def due(self) -> float | None:
        """When ``take`` has something to look at again, by the same clock; ``None`` while nothing is tracked."""
        self._drop_stale()
        return self._queue[0][0] if self._queue else None

    def take(self, now: float) -> tuple[str, FileState] | None:
        """Hand out one file that is complete, the one that has been so for longest, or ``None``."""
        while (due := self.due()) is not None and due <= now:
            path = heapq.heappop(self._queue)[2]
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
        return None

    def _await(self, path: str, tracked: _Tracked, now: float) -> None:
        tracked.due = now + (self._patience if tracked.being_written else self._delay)
        self._order += 1
        heapq.heappush(self._queue, (tracked.due, self._order, path))
        # A file written to for hours leaves one stale entry an event behind.
        if len(self._queue) > 2 * self._limit:
            self._queue = [entry for entry in self._queue if self._is_current(entry)]
            heapq.heapify(self._queue)

    def _is_current(self, entry: tuple[float, int, str]) -> bool:
        due, _, path = entry
        return path in self._tracked and self._tracked[path].due == due

    def _drop_stale(self) -> None:
        while self._queue and not self._is_current(self._queue[0]):
            heapq.heappop(self._queue)
