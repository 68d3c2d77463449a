import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge_runtime.behind import Outcome, WriteBehind
from edge_runtime.errors import ImageError
from edge_runtime.file_state import FileState
from edge_runtime.finding import Finding, from_json
from edge_runtime.journal import Journal
from edge_runtime.sinks.files import JOURNAL, ResultsFolder
from edge_runtime.sources import Work
from tests.edge_runtime.findings import MOMENT, answered, classified

STATE = FileState(1, 2, 3, 4, 5)


class Finished:
    """A source that remembers what is done."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def work(self, stop: threading.Event) -> Iterator[Work]:
        raise NotImplementedError

    def read(self, work: Work) -> bytes | OSError | ImageError | None:
        raise NotImplementedError

    def done(self, work: Work) -> None:
        self.names.append(work.source)


class Teller:
    """A sink that remembers, and may do something at an answer."""

    def __init__(self, journal: Journal, stop: threading.Event | None = None, after: int = 0) -> None:
        self.heard: list[str] = []
        self.entered: list[bool] = []
        self._journal, self._stop, self._after = journal, stop, after

    def accept(self, finding: Finding) -> None:
        self.heard.append(finding.source)
        self.entered.append(self._journal.find(finding.source.encode(), finding.sha256 or "") is not None)
        if self._stop is not None and len(self.heard) == self._after:
            self._stop.set()


@pytest.fixture
def record(tmp_path: Path) -> Iterator[ResultsFolder]:
    with ResultsFolder(tmp_path / "out") as record:
        yield record


@pytest.fixture
def journal(record: ResultsFolder) -> Iterator[Journal]:
    journal = Journal(record.folder / JOURNAL)
    yield journal
    journal.close()


def outcome(name: str, sha256: str = "1" * 64) -> Outcome:
    return Outcome(Work(name, name.encode(), STATE, MOMENT), answered(classified(name, sha256)))


def on_disk(record: ResultsFolder) -> list[str]:
    return sorted(path.name for path in record.folder.rglob("*") if not path.name.startswith((JOURNAL, ".lock")))


def test_all_is_written_in_order_and_entered_before_it_is_told(record: ResultsFolder, journal: Journal) -> None:
    names = [f"{number:02}.png" for number in range(20)]
    source, teller = Finished(), Teller(journal)

    with WriteBehind(source, record, journal, [teller], threading.Event()) as behind:
        for name in names:
            behind.put(outcome(name))

    assert teller.heard == source.names == names
    assert all(teller.entered)
    assert [from_json((record.folder / f"{name}.json").read_bytes()).source for name in names] == names


def test_what_is_not_begun_when_it_stops_leaves_nothing(record: ResultsFolder, journal: Journal) -> None:
    stop = threading.Event()
    teller = Teller(journal, stop, after=3)

    with WriteBehind(Finished(), record, journal, [teller], stop) as behind:
        for number in range(8):
            behind.put(outcome(f"{number}.png"))

    assert teller.heard == ["0.png", "1.png", "2.png"]
    assert on_disk(record) == sorted(f"{n}.png{kind}" for n in range(3) for kind in (".json", ".heatmap.png"))
    assert not journal.holds(b"3.png", b"3.png.json")


def test_what_cannot_be_written_stops_it_and_is_told_to_who_waits(record: ResultsFolder, journal: Journal) -> None:
    stop, teller = threading.Event(), Teller(journal)
    (record.folder / "a.png.heatmap.png").mkdir()
    (record.folder / "renamed").touch()  # nor is there another place for it

    def write() -> None:
        with WriteBehind(Finished(), record, journal, [teller], stop) as behind:
            behind.put(outcome("a.png"))
            assert stop.wait(60)
            behind.put(outcome("b.png"))

    with pytest.raises(NotADirectoryError):
        write()

    assert teller.heard == []
    assert on_disk(record) == ["a.png.heatmap.png", "renamed"]


def test_an_error_of_the_one_who_infers_gives_up_the_rest(record: ResultsFolder, journal: Journal) -> None:
    def fail() -> None:
        with WriteBehind(Finished(), record, journal, [], threading.Event()) as behind:
            behind.put(outcome("a.png"))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()

    assert on_disk(record) in ([], ["a.png.heatmap.png", "a.png.json"])  # as far as it was


def test_one_who_asks_for_a_name_is_not_too_early(record: ResultsFolder, journal: Journal) -> None:
    with WriteBehind(Finished(), record, journal, [], threading.Event()) as behind:
        for sha256 in ("1" * 64, "2" * 64):
            behind.put(outcome("a.png", sha256))
        behind.wait_for(b"a.png")
        found = [journal.find(b"a.png", sha256) for sha256 in ("1" * 64, "2" * 64)]
        behind.wait_for(b"never.png")

    assert [entry.finding for entry in found if entry] == [b"a.png.json", b"a.png.22222222.json"]


def test_what_has_an_entry_is_done_and_not_told(record: ResultsFolder, journal: Journal) -> None:
    source, teller = Finished(), Teller(journal)
    with WriteBehind(source, record, journal, [teller], threading.Event()) as behind:
        behind.put(outcome("a.png"))
        behind.wait_for(b"a.png")
        entry = journal.find(b"a.png", "1" * 64)
        assert entry is not None
        touched = FileState(1, 99, 3, 4, 5)
        behind.put(Outcome(Work("a.png", b"a.png", touched, MOMENT), entry))

    assert teller.heard == ["a.png"]
    assert source.names == ["a.png", "a.png"]
    assert journal.knows(b"a.png", touched)
