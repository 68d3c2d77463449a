import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from edge_runtime.ahead import read_ahead
from edge_runtime.clock import SYSTEM_CLOCK
from edge_runtime.errors import ImageError, UsageError
from edge_runtime.file_state import FileState
from edge_runtime.model import bundle
from edge_runtime.model.bundle import Bundle
from edge_runtime.sources import Work
from tests.edge_runtime.findings import MOMENT
from tests.edge_runtime.pictures import BRIGHT, DARK, picture


@pytest.fixture(scope="module")
def tiny(tiny_bundle: Path) -> Bundle:
    return bundle.read(tiny_bundle)


class Pictures:
    """A source of pictures, large and small, that may break at one of them."""

    def __init__(self, count: int, breaks_at: int | None = None) -> None:
        self.read_names: list[str] = []
        self._count, self._breaks_at = count, breaks_at

    def work(self, stop: threading.Event) -> Iterator[Work]:
        for number in range(self._count):
            if stop.is_set():
                return
            if number == self._breaks_at:
                raise UsageError("the folder is gone")
            yield Work(f"{number}", b"%d" % number, FileState(1, 1, 1, 1, 1), MOMENT)

    def read(self, work: Work) -> bytes | OSError | ImageError | None:
        self.read_names.append(work.source)
        number = int(work.source)
        if number % 5 == 4:
            return None  # gone before it could be read
        return picture((DARK, BRIGHT)[number % 2], seed=number)

    def done(self, work: Work) -> None: ...


def test_all_comes_decoded_and_in_order(tiny: Bundle) -> None:
    stop = threading.Event()

    with closing(read_ahead(Pictures(12), tiny, SYSTEM_CLOCK, stop)) as ahead:
        got = [(work.source, opened.source, opened.pixels is not None) for work, opened in ahead]

    assert got == [(str(n), str(n), True) for n in range(12) if n % 5 != 4]
    assert not stop.is_set()  # it was drained: what has been inferred may still be written


def test_no_more_is_read_than_has_room(tiny: Bundle) -> None:
    source, stop = Pictures(100), threading.Event()

    with closing(read_ahead(source, tiny, SYSTEM_CLOCK, stop)) as ahead:
        for _ in range(3):
            next(ahead)
    read = len(source.read_names)

    assert read <= 3 + 4 + 1  # taken, waiting or in hand, and one that was gone
    assert stop.is_set()


def test_an_error_of_the_source_is_raised_behind_what_came_before_it(tiny: Bundle) -> None:
    got = []

    def take() -> None:
        for work, _ in read_ahead(Pictures(10, breaks_at=3), tiny, SYSTEM_CLOCK, threading.Event()):
            got.append(work.source)

    with pytest.raises(UsageError, match="the folder is gone"):
        take()
    assert got == ["0", "1", "2"]
