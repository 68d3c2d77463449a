import errno
import os
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from edge_runtime.answer import Answered
from edge_runtime.errors import ImageError
from edge_runtime.file_state import FileState
from edge_runtime.finding import Finding, from_json
from edge_runtime.health.health import Health
from edge_runtime.journal.journal import Journal, Record, Seen
from edge_runtime.sinks.files import JOURNAL, ResultsFolder
from edge_runtime.sinks.unfinished import Unfinished, UnfinishedFiles
from edge_runtime.sources import Work
from edge_runtime.watch import behind as behind_
from edge_runtime.watch.behind import GROUP, WriteBehind
from edge_runtime.watch.insist import Backoff, Insistence
from edge_runtime.watch.known import InHand
from edge_runtime.watch.outcome import Outcome
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
    return Outcome(Work(name, name.encode(), STATE, MOMENT), sha256, lambda: answered(classified(name, sha256)))


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

    # The group in hand is finished, and nothing else is begun.
    told = len(teller.heard)
    assert teller.heard == [f"{number}.png" for number in range(told)]
    assert told >= 3
    assert on_disk(record) == sorted(f"{n}.png{kind}" for n in range(told) for kind in (".json", ".heatmap.png"))
    assert not journal.holds(f"{told}.png".encode(), f"{told}.png.json".encode())


def test_an_error_of_the_one_who_infers_gives_up_the_rest(record: ResultsFolder, journal: Journal) -> None:
    def fail() -> None:
        with WriteBehind(Finished(), record, journal, [], threading.Event()) as behind:
            behind.put(outcome("a.png"))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()

    assert on_disk(record) in ([], ["a.png.heatmap.png", "a.png.json"])  # as far as it was


def test_two_contents_of_one_name_are_written_one_after_the_other(record: ResultsFolder, journal: Journal) -> None:
    with WriteBehind(Finished(), record, journal, [], threading.Event()) as behind:
        for sha256 in ("1" * 64, "2" * 64):
            behind.put(outcome("a.png", sha256))
    found = [journal.find(b"a.png", sha256) for sha256 in ("1" * 64, "2" * 64)]

    assert [entry.finding for entry in found if entry] == [b"a.png.json", b"a.png.22222222.json"]


def test_what_has_an_entry_is_done_and_not_told(record: ResultsFolder, journal: Journal) -> None:
    source, teller = Finished(), Teller(journal)
    with WriteBehind(source, record, journal, [teller], threading.Event()) as behind:
        behind.put(outcome("a.png"))
    entry = journal.find(b"a.png", "1" * 64)
    assert entry is not None
    touched = FileState(1, 99, 3, 4, 5)
    with WriteBehind(source, record, journal, [teller], threading.Event()) as behind:
        behind.put(Outcome(Work("a.png", b"a.png", touched, MOMENT), "1" * 64, entry))

    assert teller.heard == ["a.png"]
    assert source.names == ["a.png", "a.png"]
    assert journal.knows(b"a.png", touched)


def test_what_waits_is_entered_in_groups_and_a_single_one_does_not_wait(
    record: ResultsFolder, journal: Journal
) -> None:
    groups: list[int] = []

    class Counting(Journal):
        def enter(self, news: Sequence[Record | Seen]) -> None:
            groups.append(len(news))
            if len(groups) == 1:
                assert all_put.wait(60)
            super().enter(news)

    all_put = threading.Event()
    names = [f"{number:02}.png" for number in range(24)]
    record.heatmaps = False
    counting, teller = Counting(record.folder / "other.sqlite"), Teller(journal)
    with WriteBehind(Finished(), record, counting, [teller], threading.Event()) as behind:
        for name in names:
            behind.put(outcome(name))
            while not groups:  # the first is written at once
                pass
        all_put.set()

    assert teller.heard == names
    assert groups[0] == 1
    assert max(groups) > 1
    assert len(groups) < len(names)
    assert max(groups) <= GROUP
    counting.close()


def test_while_others_are_on_their_way_answers_wait_for_them(
    record: ResultsFolder, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(behind_, "_NEXT_SECONDS", 60.0)
    monkeypatch.setattr(behind_, "_GROUP_SECONDS", 60.0)
    groups: list[int] = []

    class Counting(Journal):
        def enter(self, news: Sequence[Record | Seen]) -> None:
            groups.append(len(news))
            super().enter(news)

    names = [f"{number}.png" for number in range(7)]
    counting, teller = Counting(record.folder / "other.sqlite"), Teller(journal)
    for heatmaps in (False, True):
        record.heatmaps = heatmaps
        more = threading.Event()
        more.set()
        with WriteBehind(
            Finished(), record, counting, [teller], threading.Event(), group=3, is_more=more.is_set
        ) as behind:
            for name in names:
                if name == names[-1]:
                    while groups != [3, 3]:  # else the second would not wait for its last
                        time.sleep(0.001)
                    more.clear()
                behind.put(outcome(f"{heatmaps}{name}"))
        assert groups == [3, 3, 1]
        groups.clear()
    counting.close()


def test_what_cannot_be_drawn_stops_it_and_is_told_to_who_waits(record: ResultsFolder, journal: Journal) -> None:
    stop, teller = threading.Event(), Teller(journal)

    def fail() -> Answered:
        raise ZeroDivisionError

    def write() -> None:
        with WriteBehind(Finished(), record, journal, [teller], stop) as behind:
            behind.put(Outcome(Work("a.png", b"a.png", STATE, MOMENT), "1" * 64, fail))
            assert stop.wait(60)
            behind.put(outcome("b.png"))

    with pytest.raises(ZeroDivisionError):
        write()

    assert teller.heard == []
    assert on_disk(record) == []


class Refusing(UnfinishedFiles):
    """Refuses its first calls of one kind."""

    def __init__(self, folder: Path, times: int) -> None:
        super().__init__(folder)
        self.left = times

    def force(self, file: Unfinished) -> None:
        if self.left:
            self.left -= 1
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        super().force(file)


def test_what_the_disk_refuses_is_kept_and_tried_again(tmp_path: Path) -> None:
    names, notes = [f"{number:02}.png" for number in range(40)], list[str]()
    stop, health, in_hand = threading.Event(), Health(), InHand()
    with ResultsFolder(tmp_path, heatmaps=False, unfinished=lambda folder: Refusing(folder, 3)) as record:
        journal = Journal(tmp_path / JOURNAL)
        source, teller = Finished(), Teller(journal)
        insistence = Insistence(tmp_path, stop, health=health, note=notes.append, backoff=Backoff(0.01, 0.01))
        with WriteBehind(
            source, record, journal, [teller], stop, in_hand=in_hand, insistence=insistence, health=health
        ) as behind:
            for name in names:  # more than are kept, so that it waits for room
                item = outcome(name)
                in_hand.take(item.work, item.sha256)
                behind.put(item)
        journal.close()

        assert teller.heard == source.names == names
        assert [path.name for path in sorted(tmp_path.glob("[0-9]*"))] == [f"{name}.json" for name in names]
    assert len(notes) == 2
    assert in_hand.wait_for(outcome(names[0]).work, "1" * 64, 0.0)


@pytest.mark.parametrize("stopped_by", ["stop", "error"])
def test_the_end_is_not_held_up_by_a_disk_that_refuses(tmp_path: Path, stopped_by: str) -> None:
    stop, refused = threading.Event(), threading.Event()
    with ResultsFolder(tmp_path, unfinished=lambda folder: Refusing(folder, 10**6)) as record:
        journal = Journal(tmp_path / JOURNAL)
        insistence = Insistence(tmp_path, stop, health=Health(), note=lambda _: refused.set())

        def write() -> None:
            with WriteBehind(Finished(), record, journal, [], stop, insistence=insistence) as behind:
                behind.put(outcome("a.png"))
                assert refused.wait(60)
                if stopped_by == "error":
                    raise ZeroDivisionError
                stop.set()

        if stopped_by == "error":
            with pytest.raises(ZeroDivisionError):
                write()
        else:
            write()
        journal.close()

        assert on_disk(record) == []
