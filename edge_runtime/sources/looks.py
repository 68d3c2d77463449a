"""When a folder is looked through, and which of the files that are found there come first."""

import heapq
from typing import Final

# Looking through the folder may take at most this part of the time; the second where it has to be polled.
_SHARE: Final = 0.05
_POLL_SHARE: Final = 0.2


class Looks:
    """When the next look through a folder is due.

    1. The first one at once, the others ``rescan`` seconds after the last, or ``poll`` seconds where the folder has to
       be polled; later where looking takes long.
    2. Earlier where something may have been missed, or did not fit in: as soon as all that is known is done.

    Args:
        rescan: Seconds.
        poll: Seconds, at most as many.
        now: By a clock that nobody sets.
    """

    def __init__(self, rescan: float, poll: float, now: float) -> None:
        self.poll = min(rescan, poll)
        self.next = now
        self.is_wanted = False
        self._rescan = rescan
        self._soonest = now

    def change(self, rescan: float, poll: float, now: float) -> None:
        """Look at other intervals, and for the first time at once."""
        self.poll, self._rescan = min(rescan, poll), rescan
        self.next = now

    def is_due(self, now: float, *, is_idle: bool) -> bool:
        """Whether to begin; ``is_idle`` says that nothing is known that waits."""
        return now >= self.next or (is_idle and self.is_wanted and now >= self._soonest)

    def ended(self, now: float, spent: float, *, is_polled: bool, more: bool) -> None:
        """A look has taken so many seconds, and left out some of what it found or not."""
        every, share = (self.poll, _POLL_SHARE) if is_polled else (self._rescan, _SHARE)
        self.next = now + max(every, spent / share)
        # What was left out waits; what may have been missed is most likely there.
        self._soonest = now if more else now + spent / share
        self.is_wanted |= more

    def failed(self, now: float) -> None:
        """The folder was not there."""
        self.next = now + self.poll


class First:
    """Keeps the first of many files by their rank, without holding all of them.

    Args:
        room: How many are kept.
    """

    def __init__(self, room: int) -> None:
        self._room = room
        self._files: list[tuple[int, str]] = []
        self.more = False

    def add(self, rank: int, path: str) -> None:
        self._files.append((rank, path))
        if len(self._files) > 2 * self._room:
            self._cut()

    def files(self) -> list[tuple[int, str]]:
        """Rank and path, the least rank first."""
        if len(self._files) > self._room:
            self._cut()
        return sorted(self._files)

    def _cut(self) -> None:
        self._files, self.more = heapq.nsmallest(self._room, self._files), True
