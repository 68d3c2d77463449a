"""Reading with patience: what fails for now is tried again later, what does not return is left behind."""

import errno
from collections.abc import Callable
from functools import partial
from typing import Final

from edge_runtime.errors import ImageError
from edge_runtime.naming import Naming
from edge_runtime.sources import Work
from edge_runtime.sources.patience import Patience, Stopped
from edge_runtime.sources.reading import Unread, read_file
from edge_runtime.sources.retry import Retries, may_pass
from edge_runtime.sources.telling import Telling

READ_SECONDS: Final = 60.0
"""A read that has not returned by then is left behind, and the file taken for one that cannot be read just now."""


class Attempts:
    """Reads files, and tells ``Retries`` what came of it.

    Args:
        root: The watched folder.
        retries: Told of each attempt.
        tell: Says what went wrong.
        seconds: How long a read may take.
        monotonic: Seconds, by a clock that nobody sets.
    """

    def __init__(
        self, root: str, retries: Retries, tell: Telling, seconds: float, monotonic: Callable[[], float]
    ) -> None:
        self._root, self._retries, self._tell = root, retries, tell
        self.seconds, self._monotonic = seconds, monotonic

    def read(
        self, work: Work, path: str, max_bytes: int, patience: Patience | None
    ) -> bytes | OSError | ImageError | Unread | None:
        """As ``read_file``; ``None`` where there is nothing to answer for now.

        Args:
            work: The file.
            path: What ``Retries`` knows it by.
            max_bytes: A larger file is refused unread.
            patience: Makes the call; without it a read that does not return is waited for.
        """
        try:
            found = self._call(work, max_bytes, patience)
        except TimeoutError:
            return self.left_behind(work, path)
        except Stopped:
            return None
        self._tell.answers()
        return self._came_of(work, path, found)

    def read_at_once(self, work: Work, path: str, max_bytes: int) -> bytes | OSError | ImageError | Unread | None:
        """The same, in this thread."""
        return self._came_of(work, path, self._call(work, max_bytes, None))

    def left_behind(self, work: Work, path: str) -> bytes | OSError | ImageError | Unread | None:
        """What is to be answered of a file of which the read was left behind."""
        self._tell.answers()
        return self._came_of(work, path, OSError(errno.ETIMEDOUT, f"nothing came for {self.seconds:g} s"))

    def _came_of(
        self, work: Work, path: str, found: bytes | OSError | ImageError | Unread
    ) -> bytes | OSError | ImageError | Unread | None:
        if isinstance(found, OSError) and may_pass(found):
            is_parked = self._retries.failed(path, self._monotonic())
            self._tell.unread(work.source, found, self._retries, is_parked=is_parked)
            return None
        self._retries.succeeded(path)
        self._tell.read()
        if found is Unread.GONE:
            self._tell.note(Naming.of(work.source, "was gone before it could be read"))
        return found

    def peek(self, work: Work, max_bytes: int, patience: Patience | None) -> bytes | None:
        """The bytes of a file that may not be complete, if they can be had; what fails is neither said nor counted."""
        try:
            found = self._call(work, max_bytes, patience)
        except (TimeoutError, Stopped):
            return None
        self._tell.answers()
        return found if isinstance(found, bytes) else None

    def _call(self, work: Work, max_bytes: int, patience: Patience | None) -> bytes | OSError | ImageError | Unread:
        read = partial(read_file, self._root, work.key, work.state, max_bytes)
        return read() if patience is None else patience.call(read, limit=self.seconds)
