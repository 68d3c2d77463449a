"""Files on their way into the folder of findings: hidden, complete and on the disk before they get their name."""

import heapq
import os
import threading
from pathlib import Path

_NAME = ".unfinished"
_MOST = 16  # files that are written at once; fewer are


class UnfinishedFiles:
    """Hands out names for unfinished files in a folder, the first free one each time.

    So there are never more of them than are written at once. What a power cut leaves is written over next time, or
    cleared.

    Args:
        folder: On the file system of the finished files.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._free: list[int] = []
        self._count = 0

    def clear(self) -> None:
        """Remove what a power cut has left.

        Raises:
            OSError: It cannot be removed.
        """
        for number in range(_MOST):
            self._path(number).unlink(missing_ok=True)

    def write(self, data: bytes) -> Path:
        """A new file with this content, on the disk when this returns.

        Raises:
            OSError: The disk is full, read-only or gone; there is no file then.
        """
        path = self._take()
        try:
            # Unbuffered: all is there already.
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o666)
            try:
                left = memoryview(data)
                while left:
                    left = left[os.write(handle, left) :]
                os.fsync(handle)
            finally:
                os.close(handle)
        except BaseException:
            self.discard(path)
            raise
        return path

    def finish(self, path: Path, name: Path) -> None:
        """Give a file that ``write`` made its name; an older file of that name is replaced.

        Raises:
            OSError: That is no possible name; the file is kept.
        """
        path.replace(name)
        self._give_back(path)

    def discard(self, path: Path) -> None:
        """Remove a file that will not be finished."""
        path.unlink(missing_ok=True)
        self._give_back(path)

    def _take(self) -> Path:
        with self._lock:
            if self._free:
                number = heapq.heappop(self._free)
            else:
                number, self._count = self._count, self._count + 1
        return self._path(number)

    def _path(self, number: int) -> Path:
        return self._folder / (f"{_NAME}-{number}" if number else _NAME)

    def _give_back(self, path: Path) -> None:
        with self._lock:
            heapq.heappush(self._free, int(path.name.partition("-")[2] or 0))
