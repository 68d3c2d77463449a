import threading
from collections.abc import Generator, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from edge_runtime.clock import SYSTEM_CLOCK
from edge_runtime.errors import ImageError, UsageError
from edge_runtime.file_state import FileState
from edge_runtime.health.health import Health
from edge_runtime.model import bundle
from edge_runtime.model.classifier import Classifier
from edge_runtime.sources import Source, Work
from edge_runtime.watch.ahead import read_ahead
from edge_runtime.watch.foresight import Foreseen
from edge_runtime.watch.opening import Ahead
from tests.edge_runtime.findings import MOMENT
from tests.edge_runtime.pictures import BRIGHT, DARK, picture
from tests.engines import ScriptedEngine


@pytest.fixture(scope="module")
def tiny(tiny_bundle: Path) -> Classifier:
    return Classifier(bundle.read(tiny_bundle), ScriptedEngine([0, 0, 0]))


def ahead_of(
    source: Source, classifier: Classifier, stop: threading.Event
) -> Generator[Ahead[str] | Foreseen, None, None]:
    """Reads ahead, and finds each file's own name."""
    return read_ahead(source, lambda: classifier, SYSTEM_CLOCK, stop, look_up=lambda work, *_: f"known {work.source}")


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


def test_all_comes_decoded_and_in_order(tiny: Classifier) -> None:
    stop = threading.Event()

    with closing(ahead_of(Pictures(12), tiny, stop)) as ahead:
        got = [
            (item.work.source, item.prepared.opened.source, item.prepared.opened.pixels is not None, item.known)
            for item in ahead
            if isinstance(item, Ahead)
        ]

    assert got == [(str(n), str(n), True, f"known {n}") for n in range(12) if n % 5 != 4]
    assert not stop.is_set()  # it was drained: what has been inferred may still be written


def test_no_more_is_read_than_has_room(tiny: Classifier) -> None:
    source, stop = Pictures(100), threading.Event()

    with closing(ahead_of(source, tiny, stop)) as ahead:
        for _ in range(3):
            next(ahead)
    read = len(source.read_names)

    assert read <= 3 + 4 + 1  # taken, waiting or in hand, and one that was gone
    assert stop.is_set()


def test_an_error_of_the_source_is_raised_behind_what_came_before_it(tiny: Classifier) -> None:
    got = []

    def take() -> None:
        for item in ahead_of(Pictures(10, breaks_at=3), tiny, threading.Event()):
            assert isinstance(item, Ahead)
            got.append(item.work.source)

    with pytest.raises(UsageError, match="the folder is gone"):
        take()
    assert got == ["0", "1", "2"]


def test_it_beats_while_it_waits_for_a_reader_that_moves(tiny: Classifier) -> None:
    health = Health()
    seen: list[int] = []

    class Slow(Pictures):
        def read(self, work: Work) -> bytes | OSError | ImageError | None:
            while work.source == "1" and health.beats < 2:  # it looks for work, and none comes
                health.waiting(0, False)
            seen.append(health.beats)
            return super().read(work)

    stop = threading.Event()
    with closing(
        read_ahead(Slow(3), lambda: tiny, SYSTEM_CLOCK, stop, look_up=lambda *_: None, health=health)
    ) as ahead:
        assert len(list(ahead)) == 3

    assert seen[1] >= 2
