import contextlib
import os
import sqlite3
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_runtime.config.settings import Retention
from edge_runtime.finding import from_json
from edge_runtime.locate import JOURNAL
from edge_runtime.retention import keeper as retention_keeper
from edge_runtime.retention.keeper import LOOK_SECONDS, RetentionKeeper
from tests.edge_runtime.findings import classified
from tests.edge_runtime.journals import STATE, Filler
from tests.edge_runtime.nobody import folder_of_nobody

DAY = timedelta(days=1)
START = datetime(2026, 5, 1, 12, tzinfo=UTC)
A_MONTH = Retention(days=30)


class Device:
    """A watched folder, its results, and both clocks."""

    def __init__(self, place: Path, policy: Retention = A_MONTH) -> None:
        self.folder, self.results = place / "in", place / "out"
        self.folder.mkdir()
        self.policy = policy
        self.clock, self.seconds = START, 1000.0
        self.boot = "first"
        self.notes: list[str] = []
        self.filler = Filler(self.results, files=True)
        self.keeper = self.start()

    def start(self) -> RetentionKeeper:
        self.keeper = RetentionKeeper(
            self.results,
            self.folder,
            self.policy,
            now=lambda: self.clock,
            seconds=lambda: self.seconds,
            boot=lambda: self.boot,
            note=self.notes.append,
        )
        self.keeper.step()
        self.keeper.close()
        return self.keeper

    def answer(self, name: bytes | None = None, *, stays: bool = True, **changes: object) -> bytes:
        name = self.filler.answer(classified(), self.clock, name=name, **changes)
        path = self.folder / os.fsdecode(name)
        path.parent.mkdir(exist_ok=True)
        if stays:
            path.write_bytes(b"a radiograph")
        self.keeper.step(answered=True)
        self.keeper.close()
        return name

    def pass_(self, time: timedelta) -> None:
        self.clock += time
        self.seconds += time.total_seconds()

    def look(self) -> None:
        """All that is due at the next look."""
        self.keeper.close()
        self.seconds += LOOK_SECONDS
        self.clock += timedelta(seconds=LOOK_SECONDS)
        self.keeper.finish()

    def files(self) -> list[str]:
        return sorted(
            str(path.relative_to(self.results))
            for path in self.results.rglob("*")
            if path.is_file() and not path.name.startswith(JOURNAL)
        )

    def rows(self) -> list[tuple[int, bytes]]:
        database = sqlite3.connect(self.results / JOURNAL)
        rows = database.execute("SELECT id, finding FROM answers ORDER BY id").fetchall()
        database.close()
        return rows


@pytest.fixture
def device(tmp_path: Path) -> Iterator[Device]:
    device = Device(tmp_path)
    yield device
    device.keeper.close()
    device.filler.close()
    assert device.notes == []


def both(*names: str) -> list[str]:
    return sorted(f"{name}.{suffix}" for name in names for suffix in ("heatmap.png", "json"))


# Files


def test_what_is_too_old_goes_and_the_row_stays_while_the_input_is_there(device: Device) -> None:
    device.answer(b"ward/old.png")
    device.pass_(20 * DAY)
    device.answer(b"new.png")
    device.pass_(15 * DAY)

    device.look()

    assert device.files() == both("new.png")
    assert device.rows() == [(1, b""), (2, b"new.png.json")]
    assert device.filler.journal.knows(b"ward/old.png", STATE)
    assert sorted(path.name for path in device.folder.rglob("*.png")) == ["new.png", "old.png"]


def photographed(device: Device, name: str, size: int = 100) -> Path:
    path = device.results / f"{name}.photograph.jpg"
    path.write_bytes(bytes(size))
    return path


def test_a_photograph_goes_with_its_finding(device: Device) -> None:
    device.answer(b"old.png")
    photographed(device, "old.png")
    device.pass_(20 * DAY)
    device.answer(b"new.png")
    young = photographed(device, "new.png")
    device.pass_(15 * DAY)

    device.look()

    assert device.files() == sorted([*both("new.png"), young.name])


def test_a_photograph_counts_with_its_finding(device: Device) -> None:
    for number in range(3):
        device.answer(f"{number}.png".encode())
        photographed(device, f"{number}.png", 10**6)
    device.keeper.policy = Retention(megabytes=2)

    device.look()

    assert "0.png.photograph.jpg" not in device.files()
    assert "2.png.photograph.jpg" in device.files()


def test_heat_maps_go_first(device: Device) -> None:
    device.keeper.policy = Retention(megabytes=1)
    for number in range(3):
        name = device.answer()
        device.filler.path(name, b".heatmap.png").write_bytes(bytes(400_000 + number))

    device.look()
    assert device.files() == sorted([*both("2.png", "3.png"), "1.png.json"])

    padding = "x" * 400_000
    for number in (2, 3):
        file = device.filler.path(b"%d.png" % number)
        file.write_bytes(msgspec.json.encode(msgspec.structs.replace(from_json(file.read_bytes()), notes=(padding,))))
    device.answer()

    device.look()
    assert device.files() == ["1.png.json", "2.png.json", "3.png.json", "4.png.heatmap.png", "4.png.json"]
    assert [finding for _, finding in device.rows()] == [b"1.png.json", b"2.png.json", b"3.png.json", b"4.png.json"]


def test_findings_go_for_their_size_when_no_heat_map_is_left(device: Device) -> None:
    device.keeper.policy = Retention(megabytes=1)
    for _ in range(4):
        device.answer(notes=("x" * 300_000,))

    device.look()

    assert device.files() == ["2.png.json", "3.png.json", "4.png.json"]


def test_what_a_person_took_away_makes_room(device: Device) -> None:
    device.keeper.policy = Retention(megabytes=1)
    for _ in range(4):
        name = device.answer()
        device.filler.path(name, b".heatmap.png").write_bytes(bytes(240_000))
    device.look()
    device.filler.path(b"1.png", b".heatmap.png").unlink()
    name = device.answer()
    device.filler.path(name, b".heatmap.png").write_bytes(bytes(240_000))

    device.look()

    assert len([file for file in device.files() if file.endswith(".png")]) == 4


def test_it_goes_in_small_steps(device: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention_keeper, "_STEP", 3)
    device.keeper.policy = Retention()
    for _ in range(10):
        device.answer()
    device.keeper.policy = A_MONTH
    device.pass_(40 * DAY)
    counts = [20]

    while device.keeper.step() < 1:
        counts.append(len(device.files()))

    assert max(before - after for before, after in pairwise(counts)) == 6
    assert counts[-1] == 0
    assert device.keeper.step() > 1


def test_nothing_is_done_without_a_setting(device: Device) -> None:
    device.keeper.policy = Retention()
    device.answer()
    device.pass_(4000 * DAY)

    device.look()

    assert device.files() == both("1.png")
    assert device.keeper.step() == LOOK_SECONDS


def test_the_setting_may_change_while_it_runs(device: Device) -> None:
    device.answer()
    device.pass_(10 * DAY)
    device.look()
    assert device.files() == both("1.png")

    device.keeper.policy = Retention(days=5)
    device.look()

    assert device.files() == []


# Only what is ours


def test_the_finding_of_another_answer_under_the_same_name_stays(device: Device) -> None:
    device.answer(b"a.png", sha256="1" * 64)
    device.pass_(31 * DAY)
    device.answer(b"a.png", sha256="2" * 64)  # where the first finding had been taken away
    before = device.files()

    device.look()

    assert device.files() == before == both("a.png")
    assert device.rows() == [(2, b"a.png.json")]


@pytest.mark.parametrize("what", ["a person's file", "a folder"])
def test_what_somebody_else_put_there_stays(device: Device, what: str) -> None:
    name = device.answer()
    device.answer()
    file = device.filler.path(name)
    file.unlink()
    if what == "a folder":
        file.mkdir()
    else:
        file.write_bytes(b'{"mine": true}')
    device.pass_(31 * DAY)

    device.look()

    assert file.exists()
    assert ("1.png.heatmap.png" in device.files()) == (what != "a folder")


def test_no_link_is_followed_out_of_the_results(device: Device, tmp_path: Path) -> None:
    device.answer(b"ward/a.png")
    device.answer(b"b.png")
    elsewhere = tmp_path / "elsewhere"
    (device.results / "ward").rename(elsewhere)
    (device.results / "ward").symlink_to(elsewhere)
    b = device.filler.path(b"b.png")
    b.rename(elsewhere / "b.png.json")
    b.symlink_to(elsewhere / "b.png.json")
    device.pass_(31 * DAY)

    device.look()

    assert sorted(path.name for path in elsewhere.iterdir()) == ["a.png.heatmap.png", "a.png.json", "b.png.json"]
    assert b.is_symlink()


@pytest.mark.parametrize(
    "file", [b"../in/a.png", b"../in/a.json", b"/etc/passwd", JOURNAL.encode(), b"a.png", b"", b".json"]
)
def test_a_journal_that_names_something_else_removes_nothing(device: Device, file: bytes) -> None:
    device.answer(b"a.png")
    (device.folder / "a.json").write_bytes(b"input")
    database = sqlite3.connect(device.results / JOURNAL)
    database.execute("UPDATE answers SET finding = ?", (file,))
    database.commit()
    database.close()
    (device.results / "a.png").write_bytes(b"somebody's")
    before = device.files()
    device.pass_(31 * DAY)

    device.look()

    assert device.files() == before
    assert (device.folder / "a.json").exists()
    assert (device.folder / "a.png").exists()
    assert Path("/etc/passwd").exists()


# The clock


def test_a_clock_set_back_removes_nothing_that_is_young(device: Device) -> None:
    device.answer()
    device.clock -= 4000 * DAY
    device.answer()
    device.look()
    device.clock += 4000 * DAY
    device.pass_(DAY)
    device.answer()

    device.look()

    assert device.files() == both("1.png", "2.png", "3.png")


def test_a_machine_that_starts_in_the_past_removes_nothing_that_is_young(device: Device) -> None:
    device.answer()
    device.pass_(180 * DAY)
    device.clock -= 180 * DAY  # switched off for half a year, without a clock that goes on
    device.boot = "second"
    device.start()
    device.answer()
    device.start()  # the program, and not the machine
    device.answer()
    device.clock += 180 * DAY
    device.look()
    assert device.files() == both("2.png", "3.png")

    device.start()
    device.pass_(29 * DAY)
    device.look()
    assert device.files() == both("2.png", "3.png")

    device.pass_(2 * DAY)
    device.look()
    assert device.files() == []


def test_a_first_start_before_all_time_blocks_nothing_and_hurries_nothing(device: Device) -> None:
    device.clock = datetime(1970, 1, 1, tzinfo=UTC)
    device.boot = "second"
    device.start()
    device.answer()
    device.boot = "third"  # the clock was put right while nothing ran
    device.clock = START
    device.start()
    device.answer()
    device.pass_(29 * DAY)
    device.look()
    assert device.files() == both("1.png", "2.png")

    device.pass_(2 * DAY)
    device.look()

    assert device.files() == []


def test_answers_from_the_future_stay_until_then_if_there_is_room(device: Device) -> None:
    device.answer()
    device.boot = "second"
    device.start()
    device.clock += 4000 * DAY
    name = device.answer()
    device.filler.path(name, b".heatmap.png").write_bytes(bytes(1_100_000))
    device.clock -= 4000 * DAY
    device.answer()
    device.pass_(31 * DAY)
    device.look()
    assert device.files() == both("2.png", "3.png")

    device.keeper.policy = Retention(days=30, megabytes=1)
    device.look()

    assert device.files() == ["2.png.json", *both("3.png")]


# Rows


def answers_for(device: Device, name: bytes) -> bool:
    return device.filler.journal.knows(name, STATE)


def test_rows_go_with_the_finding_and_the_input(device: Device) -> None:
    kept = device.answer()
    gone = device.answer(stays=False)
    newest = device.answer(stays=False)
    device.pass_(31 * DAY)

    device.look()

    assert [number for number, _ in device.rows()] == [1, 3]
    assert [answers_for(device, name) for name in (kept, gone, newest)] == [True, False, True]


def test_rows_stay_as_long_as_the_finding(device: Device) -> None:
    device.answer(stays=False)
    device.answer()
    device.pass_(DAY)

    device.look()

    assert len(device.rows()) == 2


def test_the_row_of_an_earlier_content_goes(device: Device) -> None:
    device.answer(b"a.png", sha256="1" * 64)
    device.answer(b"a.png", sha256="2" * 64)
    device.answer()
    device.pass_(31 * DAY)

    device.look()

    assert [number for number, _ in device.rows()] == [2, 3]
    assert answers_for(device, b"a.png")


def test_a_share_that_is_away_takes_no_rows_with_it(device: Device) -> None:
    device.answer()
    device.answer()
    device.pass_(31 * DAY)
    device.folder.rename(device.folder.with_name("away"))
    device.look()
    device.folder.mkdir()  # where it is mounted otherwise
    device.look()
    assert len(device.rows()) == 2

    device.folder.rmdir()
    device.folder.with_name("away").rename(device.folder)
    (device.folder / "1.png").unlink()
    device.look()

    assert len(device.rows()) == 1


def test_no_row_goes_before_a_file_of_the_folder_was_answered(device: Device) -> None:
    device.answer(stays=False)
    device.answer()
    device.pass_(31 * DAY)
    device.start()

    device.look()
    assert len(device.rows()) == 2

    device.answer()
    device.look()
    assert len(device.rows()) == 2


def test_all_rows_are_looked_at_in_turn(device: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention_keeper, "_STEP", 2)
    monkeypatch.setattr(retention_keeper, "_ROWS_A_LOOK", 4)
    for number in range(9):
        device.answer(stays=number % 2 == 0)
    device.pass_(31 * DAY)
    counts = []
    for _ in range(4):
        device.look()
        counts.append(len(device.rows()))

    assert counts == [7, 5, 5, 5]


# Crashes and errors


class Crash(BaseException):
    pass


def crash_after(count: int, function: Callable[..., object]) -> Callable[..., object]:
    calls = iter(range(count))

    def call(*words: object, **options: object) -> object:
        if next(calls, None) is None:
            raise Crash
        return function(*words, **options)

    return call


@pytest.mark.parametrize("place", ["unlink", "fsync"])
@pytest.mark.parametrize("count", range(6))
def test_a_crash_between_any_two_deletes_is_made_good(
    device: Device, monkeypatch: pytest.MonkeyPatch, place: str, count: int
) -> None:
    monkeypatch.setattr(retention_keeper, "_STEP", 2)
    for number in range(3):
        device.answer(b"ward%d/a.png" % number)
    device.pass_(31 * DAY)
    device.answer(b"new.png")

    with monkeypatch.context() as patched:
        patched.setattr(os, place, crash_after(count, getattr(os, place)))
        with contextlib.suppress(Crash):  # there may be fewer of them
            device.look()
    device.start()
    device.look()

    assert device.files() == both("new.png")
    assert [finding for _, finding in device.rows()] == [b"", b"", b"", b"new.png.json"]


def test_a_finding_written_anew_after_a_crash_survives(device: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    device.answer(b"a.png", sha256="1" * 64)
    device.pass_(31 * DAY)
    with monkeypatch.context() as patched:
        patched.setattr(retention_keeper, "sync", crash_after(0, print))
        with pytest.raises(Crash):
            device.look()
    assert device.files() == []
    device.start()
    device.keeper.policy = Retention()
    device.answer(b"a.png", sha256="2" * 64)  # takes the free name
    device.keeper.policy = A_MONTH

    device.look()

    assert device.files() == both("a.png")


def test_an_error_is_told_once_and_tried_again() -> None:
    with folder_of_nobody() as place:
        device = Device(place)
        device.answer(b"ward/a.png")
        device.pass_(31 * DAY)
        (device.results / "ward").chmod(0o500)
        device.look()
        device.look()
        assert device.files() == both("ward/a.png")
        (note,) = device.notes
        assert "cannot be removed" in note
        assert "ermission" in note

        (device.results / "ward").chmod(0o700)
        device.look()

        assert device.files() == []
        device.filler.close()


def test_a_journal_that_is_busy_is_no_error_of_the_watcher(device: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention_keeper, "_WAIT_SECONDS", 0.01)
    device.answer()
    device.pass_(31 * DAY)
    other = sqlite3.connect(device.results / JOURNAL, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")

    device.look()
    assert "locked" in device.notes.pop()
    other.execute("COMMIT")
    other.close()
    device.look()

    assert device.files() == []


def test_a_journal_that_was_taken_away_is_not_made_anew(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    keeper = RetentionKeeper(tmp_path / "out", tmp_path, A_MONTH)

    keeper.finish()

    assert list((tmp_path / "out").iterdir()) == []


actions = st.lists(
    st.one_of(
        st.sampled_from([("answer", 0), ("look", 0), ("restart", 0)]),
        st.tuples(st.just("pass"), st.integers(0, 20)),
        st.tuples(st.just("set"), st.integers(-3000, 0)),
        st.tuples(st.just("take"), st.integers(0, 20)),
    ),
    max_size=25,
)


@settings(max_examples=25, deadline=None)
@given(actions)
def test_no_young_finding_ever_goes_whatever_is_done_to_the_clock(
    tmp_path_factory: pytest.TempPathFactory, done: list[tuple[str, int]]
) -> None:
    device = Device(tmp_path_factory.mktemp("device"))
    entered: dict[str, float] = {}
    for action, number in done:
        if action == "answer":
            entered[device.answer().decode()] = device.seconds
        elif action == "look":
            device.look()
            young = [name for name, when in entered.items() if device.seconds - when < 30 * 86400]
            assert set(both(*young)) <= set(device.files())
        elif action == "restart":
            device.start()
        elif action == "pass":
            device.pass_(number * DAY)
        elif action == "set":  # behind the true time, and never ahead of it
            device.clock = START + timedelta(seconds=device.seconds - 1000) + number * DAY
            device.keeper.step()
        else:
            (device.folder / f"{number}.png").unlink(missing_ok=True)
    device.keeper.close()
    device.filler.close()
    assert device.notes == []
