"""Steps through a folder: in each the next file is found, and read, in one call that may not return."""

import contextlib
from collections.abc import Callable, Generator, Iterator
from typing import Final

from edge_runtime.errors import ImageError
from edge_runtime.sources import Work
from edge_runtime.sources.patience import Call, Patience, Stopped

READ_AT_ONCE_BYTES: Final = 4 << 20
"""A larger file is read when it is wanted: two of them would take memory at the same time."""

_END_SECONDS: Final = 0.25


class Step:
    """What is found, and what is in it.

    Args:
        items: Finds work, or nothing for now.
        read: Reads a file; ``None`` where there is nothing to answer.
        seconds: How long a read may take.
        monotonic: Seconds, by a clock that nobody sets.

    Attributes:
        work: The file; ``None`` where none was found.
        is_last: Whether nothing more will be.
        is_read: Whether it has been read.
        data: What that gave.
    """

    def __init__(
        self,
        items: Iterator[Work | None],
        read: Callable[[Work], bytes | OSError | ImageError | None],
        seconds: float,
        monotonic: Callable[[], float],
    ) -> None:
        self._items, self._read, self._seconds, self._monotonic = items, read, seconds, monotonic
        self._reads_since: float | None = None
        self.work: Work | None = None
        self.is_last = self.is_read = False
        self.data: bytes | OSError | ImageError | None = None

    def take(self) -> None:
        """Find, and read what is complete and small."""
        try:
            self.work = next(self._items)
        except StopIteration:
            self.is_last = True
            return
        work = self.work
        if work is not None and not work.is_settling and work.state.size <= READ_AT_ONCE_BYTES:
            self._reads_since = self._monotonic()
            self.data = self._read(work)
            self.is_read = True

    def takes_too_long(self, _: float) -> bool:
        """Whether the read has taken too long; that a file has been looked for does not count."""
        return self._reads_since is not None and self._monotonic() - self._reads_since >= self._seconds

    @property
    def is_to_be_read(self) -> bool:
        """Whether there is a file that has not been read."""
        return self.work is not None and not self.is_read


def steps(
    items: Generator[Work | None, None, None],
    patience: Patience,
    begin: Callable[[Iterator[Work | None]], Step],
    left_behind: Callable[[Step], None],
) -> Generator[Step, None, None]:
    """One step after the other, until the last; each goes on while what the one before has found is dealt with.

    Where that is still to be read, the next one waits, because only one call is made at a time.

    Args:
        items: Finds work; closed at last.
        patience: Makes the calls; ended at last.
        begin: Makes a step.
        left_behind: Told of one of which the read did not return.
    """

    def begun() -> tuple[Step, Call[None]]:
        step = begin(items)
        return step, patience.begin(step.take)

    step, call = begun()
    try:
        while True:
            try:
                patience.result(call, step.takes_too_long)
            except TimeoutError:
                left_behind(step)
            except Stopped:
                return
            if step.is_last:
                return
            taken, waits = step, step.is_to_be_read
            if not waits:
                step, call = begun()
            yield taken
            if waits:
                step, call = begun()
    finally:
        patience.end()
        call.wait(_END_SECONDS)
        with contextlib.suppress(ValueError):  # it is in a call that does not return
            items.close()
