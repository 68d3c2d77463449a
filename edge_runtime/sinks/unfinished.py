"""Files on their way into the folder of findings: hidden, complete and on the disk before they get their name."""

import contextlib
import ctypes
import heapq
import os
import re
import threading
from pathlib import Path
from typing import Any, Final

_NAME: Final = b".unfinished"
_OURS: Final = re.compile(rb"\.unfinished(-\d+)?")
_SYNC_FILE_RANGE_WRITE: Final = 2  # linux/fs.h


class Unfinished:
    """A hidden file that is open; ``UnfinishedFiles`` makes it and takes it back.

    Attributes:
        path: Where it lies.
    """

    __slots__ = ("handle", "number", "path")

    def __init__(self, number: int, path: bytes) -> None:
        self.number, self.path = number, path
        self.handle: int | None = None


class UnfinishedFiles:
    """Hands out names for unfinished files in a folder, the first free one each time.

    So there are never more of them than are written at once. What a power cut leaves is written over next time, or
    cleared.

    Args:
        folder: On the file system of the finished files.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = os.fsencode(folder)
        self._lock = threading.Lock()
        self._free: list[int] = []
        self._count = 0

    def clear(self) -> None:
        """Remove what a power cut has left.

        Raises:
            OSError: It cannot be removed.
        """
        for name in os.listdir(self._folder):  # noqa: PTH208  (bytes)
            if _OURS.fullmatch(name):
                os.unlink(os.path.join(self._folder, name))  # noqa: PTH108, PTH118  (bytes)

    def write(self, data: bytes) -> Unfinished:
        """A new file with this content. It is on its way to the disk; ``force`` waits until it is there.

        Raises:
            OSError: The disk is full, read-only or gone; there is no file then.
        """
        file = self._take()
        try:
            # Unbuffered: all is there already.
            file.handle = os.open(file.path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o666)
            left = memoryview(data)
            while left:
                left = left[os.write(file.handle, left) :]
            _begin_to_write(file.handle)
        except BaseException:
            self.discard(file)
            raise
        return file

    def force(self, file: Unfinished) -> None:
        """Return when the file is on the disk.

        Of several files each is to be written before the first is forced: then they get their places on the disk
        together, and all but the first need hardly more than to be waited for.

        Raises:
            OSError: It could not be written. What the disk has of it is unknown, so it can only be discarded.
        """
        if file.handle is not None:
            os.fsync(file.handle)
            self._close(file)

    def finish(self, file: Unfinished, name: bytes) -> None:
        """Give a file that was forced its name; an older file of that name is replaced.

        Raises:
            OSError: That is no possible name; the file is kept.
        """
        os.replace(file.path, name)  # noqa: PTH105  (bytes)
        self._give_back(file)

    def discard(self, file: Unfinished) -> None:
        """Remove a file that will not be finished. One that cannot be removed is written over or cleared later."""
        self._close(file)
        with contextlib.suppress(OSError):
            os.unlink(file.path)  # noqa: PTH108  (bytes)
        self._give_back(file)

    def force_names(self, folder: bytes) -> None:
        """Return when the names in a folder are on the disk.

        Raises:
            OSError: They could not be written.
        """
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)

    def _take(self) -> Unfinished:
        with self._lock:
            if self._free:
                number = heapq.heappop(self._free)
            else:
                number, self._count = self._count, self._count + 1
        name = b"%b-%d" % (_NAME, number) if number else _NAME
        return Unfinished(number, os.path.join(self._folder, name))  # noqa: PTH118  (bytes)

    def _close(self, file: Unfinished) -> None:
        if file.handle is not None:
            handle, file.handle = file.handle, None
            # What has to be on the disk has been forced; a late error says nothing new.
            with contextlib.suppress(OSError):
                os.close(handle)

    def _give_back(self, file: Unfinished) -> None:
        with self._lock:
            heapq.heappush(self._free, file.number)


def _sync_file_range() -> Any:
    try:
        function = ctypes.CDLL(None).sync_file_range
    except (OSError, AttributeError):
        return None  # not Linux, or a C library without it
    function.argtypes = (ctypes.c_int, ctypes.c_int64, ctypes.c_int64, ctypes.c_uint)
    return function


_SYNC_FILE_RANGE: Final = _sync_file_range()


def _begin_to_write(handle: int) -> None:
    # A hint, whose errors fsync repeats. It has the file system choose the file's place on the disk now, so that one
    # commit of its journal holds all the files of a group, where each fsync alone would make one of its own.
    if _SYNC_FILE_RANGE is not None:
        _SYNC_FILE_RANGE(handle, 0, 0, _SYNC_FILE_RANGE_WRITE)
