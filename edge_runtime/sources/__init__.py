"""Where radiographs come from. A source is one file here and one line in ``edge_runtime.watch.command``."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from edge_runtime.errors import ImageError
from edge_runtime.file_state import FileState


@dataclass(frozen=True, slots=True)
class Work:
    """One radiograph to be answered.

    Attributes:
        source: Its name as a person reads it and as the finding carries it, relative to the source.
        key: Its name byte for byte, because a file name may be in any encoding; what the journal knows it by.
        state: What tells this content of the file from an earlier or later one.
        received: When it was found complete.
        is_settling: Whether it still settles. What its answer takes may be done now, and nothing said of it: it is
            yielded again when it is complete, if it ever is.
    """

    source: str
    key: bytes
    state: FileState
    received: datetime
    is_settling: bool = False


class Source(Protocol):
    """Yields work, one radiograph after the other; used by one thread, except for ``done``."""

    def work(self, stop: threading.Event) -> Iterator[Work]:
        """Yield what is there and what arrives, until ``stop`` is set or the source is drained."""
        ...

    def read(self, work: Work) -> bytes | OSError | ImageError | None:
        """The bytes, the error that says why there are none, or ``None`` where there is nothing to answer any more.

        Of what still settles, the bytes or ``None``.
        """
        ...

    def done(self, work: Work) -> None:
        """The journal knows the answer now. Called from the thread that writes."""
        ...
