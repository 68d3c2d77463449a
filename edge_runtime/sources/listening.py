"""Hearing of a folder, and knowing how far what is heard can be relied on."""

import ctypes
import errno
import os
import time
from collections.abc import Callable
from typing import Final

from edge_runtime.finding import printable
from edge_runtime.sources.events import FolderEvents
from edge_runtime.sources.mounts import silent_type

_IN_CREATE: Final = 0x100
_LIMITS: Final = {
    errno.ENOSPC: ("watch", "fs.inotify.max_user_watches", 524288),
    errno.EMFILE: ("instance", "fs.inotify.max_user_instances", 1024),
}


class Listening:
    """Starts the events of a folder, and again when it was away or the system had too few watches.

    The folder has to be polled, that is looked through at short intervals, where one of these holds:

    1. Its file system, or one mounted in it, is of a type that does not tell of what other machines write there (NFS,
       CIFS, FUSE and the like). Events of this machine are still heard.
    2. The system has no inotify instance for this program, or no inotify watch left, so that folders may go unheard.
       It is tried again every ``retry`` seconds.
    3. Events end with any other error. It is tried again, too.

    Args:
        root: The folder, without links.
        events: Of that folder.
        retry: Seconds after which events are started again where they are not all heard.
        monotonic: Seconds, by a clock that nobody sets.
        silent: The type of a file system that may be silent about new files, or ``None``.
        out_of_watches: The error that another watch would end with, or ``None``.
    """

    def __init__(
        self,
        root: str,
        events: FolderEvents,
        *,
        retry: float,
        monotonic: Callable[[], float] = time.monotonic,
        silent: Callable[[str], str | None] = silent_type,
        out_of_watches: "Callable[[str], OSError | None] | None" = None,
    ) -> None:
        self._root, self._events, self._retry, self._monotonic = root, events, retry, monotonic
        self._silent, self._out_of_watches = silent, out_of_watches or no_watch_left
        self._root_id: tuple[int, int] | None = None
        self._error: OSError | None = None
        self._kind: str | None = None
        self._next_start = float("-inf")

    def attend(self) -> None:
        """Start what is not running; to be called before each look through the folder.

        Raises:
            OSError: The folder is not there.
        """
        try:
            there = os.stat(self._root)  # noqa: PTH116
        except OSError:
            self._root_id = None
            raise
        root_id, now = (there.st_dev, there.st_ino), self._monotonic()
        is_another = root_id != self._root_id
        if is_another or ((self._error or not self._events.alive) and now >= self._next_start):
            self._root_id, self._next_start = root_id, now + self._retry
            self._error = self._events.start()
        if self._error is None:
            self._error = self._out_of_watches(self._root)
        self._kind = self._silent(self._root)

    @property
    def is_reliable(self) -> bool:
        """Whether the folder tells of all that happens in it, as far as can be known."""
        return self._error is None and self._kind is None

    def trouble(self, poll: float) -> str | None:
        """What keeps events from being heard and can be mended, in a sentence without its full stop."""
        if self._error is None:
            return None
        root, every = printable(self._root), f"it is looked through every {poll:g} s instead"
        if self._error.errno not in _LIMITS:
            return f"no events from {root} ({self._error.strerror or self._error}): {every}"
        what, name, value = _LIMITS[self._error.errno]
        return (
            f"the system has no inotify {what} left for {root} and its folders: {every}; raise {name} "
            f"(sysctl -w {name}={value}, and that line in /etc/sysctl.d/90-edge-pneumo.conf to keep it)"
        )

    def peculiarity(self, poll: float) -> str | None:
        """What keeps events from being heard and is as it should be, likewise."""
        if self._kind is None:
            return None
        return (
            f"{printable(self._root)} lies on a file system ({self._kind}) that does not tell of what other machines "
            f"put there: it is looked through every {poll:g} s"
        )


def no_watch_left(folder: str) -> OSError | None:
    """The error that another inotify watch would end with.

    watchdog keeps silent about a subfolder for which there was no watch, so that the kernel is asked for one more.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    handle = libc.inotify_init1(os.O_CLOEXEC)
    if handle < 0:
        return None  # an instance is what watchdog has already
    try:
        if libc.inotify_add_watch(handle, os.fsencode(folder), _IN_CREATE) >= 0:
            return None
        number = ctypes.get_errno()
        return OSError(number, os.strerror(number)) if number == errno.ENOSPC else None
    finally:
        os.close(handle)
