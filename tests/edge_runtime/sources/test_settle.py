import os
import stat
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_runtime.file_state import FileState
from edge_runtime.sources.settle import LULL_SECONDS, UNHEARD_SECONDS, Heard, Order, Settling

DELAY, PATIENCE = 1.0, 30.0


@dataclass
class Disk:
    """Files by path, as ``stat`` sees them."""

    files: dict[str, tuple[int, int, int]] = field(default_factory=dict)

    def put(self, path: str, *, size: int = 10, mtime: int = 0, inode: int = 1) -> None:
        self.files[path] = (size, mtime, inode)

    def stat(self, path: str) -> os.stat_result:
        if path not in self.files:
            raise FileNotFoundError(path)
        size, mtime, inode = self.files[path]
        return os.stat_result(
            (stat.S_IFREG | 0o644, inode, 0, 1, 0, 0, size, mtime, mtime, mtime),
            {"st_mtime_ns": mtime * 10**9, "st_ctime_ns": mtime * 10**9},
        )


@pytest.fixture
def disk() -> Disk:
    disk = Disk()
    disk.put("a")
    return disk


@pytest.fixture
def settling(disk: Disk) -> Settling:
    return Settling(DELAY, patience=PATIENCE, stat=disk.stat)


def taken(settling: Settling, now: float) -> list[str]:
    paths = []
    while (complete := settling.take(now)) is not None:
        paths.append(complete[0])
    return paths


def test_unchanged_for_the_delay_is_complete_and_handed_out_once(settling: Settling) -> None:
    settling.track("a", 0.0)

    assert taken(settling, 0.99) == []
    assert taken(settling, 1.0) == ["a"]
    assert taken(settling, 100.0) == []
    assert len(settling) == 0


def test_handed_out_with_what_was_seen(disk: Disk, settling: Settling) -> None:
    disk.put("a", size=123, mtime=5)
    settling.track("a", 0.0)

    complete = settling.take(1.0)

    assert complete == ("a", FileState(123, 5 * 10**9, 5 * 10**9, 1, stat.S_IFREG | 0o644))


def test_rule_1_what_is_gone_is_forgotten(disk: Disk, settling: Settling) -> None:
    settling.track("a", 0.0)
    del disk.files["a"]

    assert taken(settling, 1.0) == []
    assert len(settling) == 0


def test_rule_1_what_is_gone_when_noticed_is_not_tracked(settling: Settling) -> None:
    assert settling.track("nowhere", 0.0)
    assert len(settling) == 0


@pytest.mark.parametrize("change", [{"size": 11}, {"mtime": 1}, {"inode": 2}])
def test_rule_2_a_change_between_two_looks_starts_the_wait_anew(
    disk: Disk, settling: Settling, change: dict[str, int]
) -> None:
    settling.track("a", 0.0)
    disk.put("a", **change)

    assert taken(settling, 1.5) == []
    assert taken(settling, 2.4) == []
    assert taken(settling, 2.5) == ["a"]


def test_rule_2_being_found_again_is_no_change(settling: Settling) -> None:
    settling.track("a", 0.0)
    settling.track("a", 0.9)

    assert taken(settling, 1.0) == ["a"]


@pytest.mark.parametrize("heard", [Heard.CREATED, Heard.CLOSED])
def test_rule_3_an_event_starts_the_wait_anew(settling: Settling, heard: Heard) -> None:
    settling.track("a", 0.0)
    settling.track("a", 0.9, heard=heard)

    assert taken(settling, 1.5) == []
    assert taken(settling, 1.9) == ["a"]


def test_rule_4_a_writer_that_pauses_is_waited_for(settling: Settling) -> None:
    settling.track("a", 0.0, heard=Heard.WRITTEN)

    assert taken(settling, 20.0) == []
    settling.track("a", 20.0, heard=Heard.CLOSED)

    assert taken(settling, 20.9) == []
    assert taken(settling, 21.0) == ["a"]


def test_rule_4_a_close_that_was_never_heard_of_is_not_waited_for_for_ever(settling: Settling) -> None:
    settling.track("a", 0.0, heard=Heard.WRITTEN)

    assert taken(settling, PATIENCE - 0.1) == []
    assert taken(settling, PATIENCE) == ["a"]


def test_rule_4_an_empty_file_that_was_created_is_about_to_be_written(disk: Disk, settling: Settling) -> None:
    disk.put("a", size=0)
    settling.track("a", 0.0, heard=Heard.CREATED)

    assert taken(settling, 5.0) == []
    settling.track("a", 5.0, heard=Heard.CLOSED)

    assert taken(settling, 6.0) == ["a"]


def test_rule_4_a_full_file_that_appears_was_moved_or_linked(settling: Settling) -> None:
    settling.track("a", 0.0, heard=Heard.CREATED)

    assert taken(settling, 1.0) == ["a"]


def test_rule_5_a_file_that_lay_in_a_new_folder_may_have_a_writer(settling: Settling) -> None:
    settling.track("a", 0.0, heard=Heard.FOUND)

    assert taken(settling, UNHEARD_SECONDS - 0.1) == []
    assert taken(settling, UNHEARD_SECONDS) == ["a"]


def test_rule_5_what_is_heard_of_it_later_counts(disk: Disk, settling: Settling) -> None:
    disk.put("b")
    for path in "ab":
        settling.track(path, 0.0, heard=Heard.FOUND)
    settling.track("a", 0.5, heard=Heard.CLOSED)
    settling.track("b", 0.5, heard=Heard.WRITTEN)
    settling.track("b", 0.6, heard=Heard.FOUND)

    assert taken(settling, 1.5) == ["a"]
    assert taken(settling, PATIENCE) == []
    assert taken(settling, PATIENCE + 0.6) == ["b"]


def test_what_this_program_put_there_itself_waits_for_nothing(settling: Settling) -> None:
    settling.track("a", 0.0, heard=Heard.COMPLETE)

    assert taken(settling, 0.0) == ["a"]


def test_how_it_came_there_does_not_make_it_wait(settling: Settling) -> None:
    settling.track("a", 0.0, heard=Heard.CLOSED)
    settling.track("a", 0.1, heard=Heard.COMPLETE)
    settling.track("a", 0.1, heard=Heard.CLOSED)

    assert taken(settling, 0.1) == ["a"]


def test_what_somebody_else_writes_to_it_does(settling: Settling) -> None:
    settling.track("a", 0.0, heard=Heard.COMPLETE)
    settling.track("a", 0.0, heard=Heard.WRITTEN)

    assert taken(settling, 1.0) == []


def test_the_first_to_be_complete_comes_first(disk: Disk, settling: Settling) -> None:
    disk.put("b")
    disk.put("c")
    for path in "cab":
        settling.track(path, 0.0)
    settling.track("a", 0.5, heard=Heard.CLOSED)

    assert taken(settling, 2.0) == ["c", "b", "a"]


@pytest.mark.parametrize(("order", "first_to_last"), [("oldest", "bac"), ("newest", "cab")])
def test_the_oldest_or_the_newest_of_the_complete_ones_comes_first(
    disk: Disk, order: Order, first_to_last: str
) -> None:
    settling = Settling(DELAY, order=order, stat=disk.stat)
    for path, mtime in {"a": 20, "b": 10, "c": 30}.items():
        disk.put(path, mtime=mtime)
        settling.track(path, 0.0)

    assert "".join(taken(settling, 1.0)) == first_to_last


def test_the_newest_first_comes_before_those_that_have_waited_longer(disk: Disk) -> None:
    settling = Settling(DELAY, order="newest", stat=disk.stat)
    for path, mtime in {"a": 10, "b": 20}.items():
        disk.put(path, mtime=mtime)
        settling.track(path, 0.0)

    assert taken(settling, 0.5) == []
    disk.put("c", mtime=30)
    settling.track("c", 0.6)
    first = settling.take(1.1)  # c is not complete yet
    assert first is not None
    assert first[0] == "b"
    assert taken(settling, 2.0) == ["c", "a"]


def test_an_unfinished_file_keeps_no_other_waiting(disk: Disk, settling: Settling) -> None:
    disk.put("old", mtime=-100)
    settling.track("old", 0.0, heard=Heard.WRITTEN)
    settling.track("a", 0.0)

    assert taken(settling, 1.0) == ["a"]


def test_what_changes_while_it_waits_for_its_turn_waits_anew(disk: Disk, settling: Settling) -> None:
    disk.put("b", mtime=10)
    settling.track("a", 0.0)
    settling.track("b", 0.0)
    first = settling.take(1.0)
    assert first is not None
    assert first[0] == "a"
    disk.put("b", mtime=10, size=11)

    assert taken(settling, 5.0) == []
    settling.track("b", 5.5, heard=Heard.CLOSED)
    assert taken(settling, 6.0) == []
    assert taken(settling, 6.5) == ["b"]


def test_a_longer_delay_where_nothing_is_heard(settling: Settling) -> None:
    settling.lengthen(5.0)
    settling.track("a", 0.0)

    assert taken(settling, 4.9) == []
    assert taken(settling, 5.0) == ["a"]
    settling.lengthen(0.1)  # never shorter than what was wanted
    settling.track("a", 10.0)
    assert taken(settling, 10.9) == []
    assert taken(settling, 11.0) == ["a"]
    settling.lengthen(None)
    settling.track("a", 20.0)
    assert taken(settling, 21.0) == ["a"]


def test_no_more_than_the_limit_are_tracked(disk: Disk) -> None:
    settling = Settling(DELAY, limit=1, stat=disk.stat)
    disk.put("b")

    assert settling.track("a", 0.0)
    assert not settling.track("b", 0.0)
    assert settling.room == 0
    assert settling.track("a", 0.0, heard=Heard.CLOSED)
    assert taken(settling, 1.0) == ["a"]
    assert settling.room == 1


def test_due_is_the_next_look(disk: Disk, settling: Settling) -> None:
    disk.put("b")
    assert settling.due() is None

    settling.track("a", 0.0)
    settling.track("b", 0.2)
    settling.track("a", 0.7, heard=Heard.CLOSED)

    assert settling.due() == pytest.approx(1.2)


def test_a_file_written_to_for_hours_costs_no_memory(disk: Disk) -> None:
    settling = Settling(DELAY, limit=10, stat=disk.stat)

    for tick in range(10_000):
        settling.track("a", float(tick), heard=Heard.WRITTEN)

    assert len(settling._queue) <= 21


def test_files_that_change_as_their_turn_comes_cost_no_memory(disk: Disk) -> None:
    settling = Settling(0.0, limit=10, stat=disk.stat)
    disk.put("first", mtime=-1)

    for tick in range(1000):
        disk.put("a", size=tick)
        settling.track("first", float(tick))
        settling.track("a", float(tick), heard=Heard.CLOSED)
        settling.take(float(tick))  # all are ready, and one is handed out

    assert len(settling._queue) + len(settling._ready) <= 42


@given(
    steps=st.lists(
        st.tuples(st.sampled_from(["write", "heard", "found", "vanish", "wait"]), st.floats(0.0, 1.5)), max_size=40
    )
)
def test_what_is_handed_out_has_not_changed_for_the_delay(steps: list[tuple[str, float]]) -> None:
    # Arrange
    disk = Disk()
    settling = Settling(DELAY, patience=PATIENCE, stat=disk.stat)
    now, last_seen_change, version = 0.0, 0.0, 0

    for what, wait in steps:
        # Act
        match what:
            case "write":
                version += 1
                disk.put("a", size=version)
                last_seen_change = now
            case "heard":
                settling.track("a", now, heard=Heard.CLOSED)
            case "found":
                settling.track("a", now)
            case "vanish":
                disk.files.pop("a", None)
        now += wait
        complete = settling.take(now)

        # Assert
        if complete is not None:
            assert complete[1].size == disk.files["a"][0]
            assert now - last_seen_change >= DELAY


def test_looks_at_the_real_disk_by_itself(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"12345")
    settling = Settling(0.0)
    settling.track(str(path), 0.0)

    complete = settling.take(0.0)

    assert complete is not None
    assert complete[1].size == 5


def test_with_another_order_what_is_complete_is_to_be_found_again_and_what_is_written_stays_known(
    disk: Disk, settling: Settling
) -> None:
    for path, mtime in (("a", 1), ("b", 2), ("c", 3), ("w", 4)):
        disk.put(path, mtime=mtime)
        settling.track(path, 0.0, heard=Heard.WRITTEN if path == "w" else None)
    first = settling.take(DELAY)

    settling.change(DELAY, "newest")

    assert first is not None
    assert first[0] == "a"
    assert [path in settling for path in "bcw"] == [False, False, True]
    for path in "bcw":
        settling.track(path, DELAY)
    assert taken(settling, 2 * DELAY) == ["c", "b"]


def test_another_delay_holds_for_what_comes(disk: Disk, settling: Settling) -> None:
    settling.lengthen(5.0)
    settling.change(3.0, "oldest")
    settling.track("a", 0.0)

    assert taken(settling, 2.9) == []
    assert taken(settling, 3.0) == ["a"]
    disk.put("b")
    settling.lengthen(5.0)
    settling.track("b", 10.0)
    assert taken(settling, 14.9) == []


# What was closed, and settles


def test_a_closed_file_is_told_of_a_moment_later_and_once(disk: Disk, settling: Settling) -> None:
    settling.track("a", 0.0, heard=Heard.CREATED)
    settling.track("a", 0.2, heard=Heard.CLOSED)

    assert settling.closed_due() == 0.2 + LULL_SECONDS
    assert settling.closed(0.2 + LULL_SECONDS / 2) is None
    assert [settling.closed(0.5), settling.closed(0.6)] == [("a", FileState.of(disk.stat("a"))), None]
    assert settling.closed_due() is None
    assert taken(settling, 1.2) == ["a"]


@pytest.mark.parametrize("heard", [None, *(one for one in Heard if one is not Heard.CLOSED)])
def test_what_was_not_closed_is_not_told_of(settling: Settling, heard: Heard | None) -> None:
    settling.track("a", 0.0, heard=heard)

    assert settling.closed(0.9) is None


def test_what_is_written_to_again_is_told_of_when_it_is_closed_again(settling: Settling) -> None:
    settling.track("a", 0.0, heard=Heard.CLOSED)
    settling.track("a", 0.05, heard=Heard.WRITTEN)

    assert settling.closed(0.5) is None

    settling.track("a", 0.6, heard=Heard.CLOSED)

    assert settling.closed(0.6 + LULL_SECONDS) is not None


def test_what_is_gone_or_complete_is_not_told_of(disk: Disk, settling: Settling) -> None:
    disk.put("b")
    for path in "ab":
        settling.track(path, 0.0, heard=Heard.CLOSED)
    settling.forget("a")

    assert taken(settling, 1.0) == ["b"]
    assert settling.closed(1.0) is None


def test_a_closed_file_is_told_of_as_it_is_by_then(disk: Disk, settling: Settling) -> None:
    settling.track("a", 0.0, heard=Heard.CLOSED)
    disk.put("a", mtime=7)

    closed = settling.closed(0.5)

    assert closed is not None
    assert closed[1].mtime_ns == 7 * 10**9


def test_a_closed_file_that_is_gone_is_not_told_of(disk: Disk, settling: Settling) -> None:
    settling.track("a", 0.0, heard=Heard.CLOSED)
    disk.files.clear()

    assert settling.closed(0.5) is None


def test_of_more_than_it_remembers_the_last_are_told_of(disk: Disk, settling: Settling) -> None:
    names = [f"{number:03}" for number in range(100)]
    for name in names:
        disk.put(name)
        settling.track(name, 0.0, heard=Heard.CLOSED)

    told = [closed[0] for closed in iter(lambda: settling.closed(0.5), None)]

    assert told == names[-64:]
