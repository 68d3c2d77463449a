"""Which errors of reading may pass, when a file is tried again, and when it is left alone."""

import errno
import heapq
from dataclasses import dataclass
from typing import Final

BACKOFF: Final = (1.0, 2.0, 4.0, 8.0, 16.0)
"""Seconds before each new try of one file."""

PARKED_SECONDS: Final = 900.0
"""How long a file that could not be read by then is left alone."""

LIMIT: Final = 4096
"""Files remembered at once. One more is found again by a look through the folder."""

IN_A_ROW: Final = 3
"""So many files that cannot be read, one after the other, are the folder's fault and no longer theirs."""

_LONGEST_REST: Final = 60.0

# What will be the same at the next try, as long as nobody changes the file. All else may pass: a disk or a share that
# comes back (EIO, ESTALE, ETIMEDOUT, EHOSTDOWN, ENETDOWN, ENODEV ...), memory or handles that are free again (ENOMEM,
# EMFILE), another program that is done with it (EBUSY, EAGAIN). What this program has not met yet is no answer either.
_LASTING: Final = frozenset(
    {
        *(errno.EACCES, errno.EPERM, errno.ENAMETOOLONG, errno.EISDIR, errno.EOVERFLOW, errno.EFBIG, errno.EINVAL),
        *(errno.ELOOP, errno.ENOTDIR, errno.EOPNOTSUPP),
    }
)


def may_pass(error: OSError) -> bool:
    """Whether another try may end differently though nobody changes the file."""
    return error.errno not in _LASTING


@dataclass(slots=True)
class _Failed:
    tries: int
    due: float
    is_parked: bool
    is_tried: bool = False


class Retries:
    """The files whose bytes could not be had, for a reason that may pass.

    1. A file is tried again 1, 2, 4, 8 and 16 seconds after each failure. The others are not kept waiting meanwhile.
    2. If it fails then, too, it is parked: it is tried again every 15 minutes. It gets no finding, for nothing is known
       of it.
    3. After three different files in a row it is the folder that fails, not the files: it rests for 1, 2, 4 ... 60
       seconds, then one file is tried. Such a failure brings no file nearer to being parked. The first file that can be
       read ends this.
    4. Something that was heard of a file, and a read that succeeds, make it one like any other.

    Nothing is kept over the end of the program: a new start tries everything.
    """

    def __init__(self) -> None:
        self._files: dict[str, _Failed] = {}
        self._queue: list[tuple[float, int, str]] = []
        self._count = 0
        self.rests = 0
        """How often in a row the folder has been let rest."""
        self._failing: set[str] = set()
        self._rest_until = float("-inf")

    @property
    def waiting(self) -> int:
        """Files that are tried again soon."""
        return sum(not failed.is_parked and not failed.is_tried for failed in self._files.values())

    @property
    def parked(self) -> int:
        """Files that are left alone."""
        return sum(failed.is_parked for failed in self._files.values())

    def is_resting(self, now: float) -> bool:
        """Whether nothing is to be read just now."""
        return now < self._rest_until

    def rest_until(self) -> float:
        """When the next file may be tried."""
        return self._rest_until

    def failed(self, path: str, now: float) -> bool:
        """A read has failed.

        Returns:
            Whether the file has been parked by that.
        """
        if len(self._failing) < IN_A_ROW:
            self._failing.add(path)
        if len(self._failing) == IN_A_ROW:
            self.rests += 1
            self._rest_until = now + min(2.0 ** (self.rests - 1), _LONGEST_REST)
        failed = self._files.get(path)
        if failed is None:
            if len(self._files) >= LIMIT and not self._make_room():
                return False
            failed = self._files[path] = _Failed(0, now, is_parked=False)
        was_parked, failed.is_tried = failed.is_parked, False
        if not self.rests:
            failed.tries += 1
        failed.is_parked = failed.tries > len(BACKOFF)
        wait = PARKED_SECONDS if failed.is_parked else BACKOFF[max(failed.tries - 1, 0)]
        failed.due = now + wait
        self._count += 1
        heapq.heappush(self._queue, (failed.due, self._count, path))
        return failed.is_parked and not was_parked

    def succeeded(self, path: str) -> None:
        """A read has not failed, whatever was found."""
        self._failing.clear()
        self.rests, self._rest_until = 0, float("-inf")
        self.forget(path)

    def forget(self, path: str) -> None:
        """Take the file for one like any other."""
        self._files.pop(path, None)

    def holds(self, path: str) -> bool:
        """Whether the file is to be left alone until ``take`` hands it out."""
        failed = self._files.get(path)
        return failed is not None and not failed.is_tried

    def due(self) -> float | None:
        """When ``take`` hands out the next; ``None`` while there is none."""
        while self._queue and not self._is_current(self._queue[0]):
            heapq.heappop(self._queue)
        return self._queue[0][0] if self._queue else None

    def take(self, now: float) -> str | None:
        """Hand out one file that is to be tried again, or ``None``."""
        due = self.due()
        if due is None or due > now:
            return None
        path = heapq.heappop(self._queue)[2]
        self._files[path].is_tried = True
        return path

    def _is_current(self, entry: tuple[float, int, str]) -> bool:
        failed = self._files.get(entry[2])
        return failed is not None and not failed.is_tried and failed.due == entry[0]

    def _make_room(self) -> bool:
        # Handed out and never heard of again: such files are gone, or wait to be looked at.
        gone = next((path for path, failed in self._files.items() if failed.is_tried), None)
        self._files.pop(gone or "", None)
        return gone is not None
