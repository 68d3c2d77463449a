import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from edge_runtime.health import state_file
from edge_runtime.health.health import Health
from edge_runtime.health.state_file import Process, Record, StateFile, has_lost_one, life, process_of, this_process
from tests.edge_runtime.clocks import HandClock
from tests.edge_runtime.findings import classified

HERE = this_process()


@pytest.fixture
def runtime(tmp_path: Path) -> Path:
    folder = tmp_path / "run"
    folder.mkdir()
    return folder


def make(results: Path, health: Health, hand: HandClock, runtime: Path | None = None) -> StateFile:
    return StateFile(results, results.with_name("in"), health, runtime=runtime, clock=hand.clock)


def read(results: Path) -> Record:
    record = state_file.read(results, {}, service=results / "no-service")
    assert record is not None
    return record


def test_it_tells_of_this_process_and_how_it_stands(results: Path, health: Health, hand: HandClock) -> None:
    health.ready()
    health.accept(classified())
    with make(results, health, hand):
        record = read(results)

        assert life(record) == "alive"
        assert (record.process, record.state) == (HERE, health.snapshot())
        assert (record.results, record.folder) == (str(results), str(results.with_name("in")))


def test_changes_are_written_every_5_seconds_where_that_costs_nothing(
    results: Path, health: Health, hand: HandClock, runtime: Path
) -> None:
    file = make(results, health, hand, runtime)
    written = [file.turn()]
    for wait, answers in ((4, True), (1, False), (5, False), (4, True), (1, False)):
        hand.wait(wait)
        if answers:
            health.accept(classified())
        written.append(file.turn())

    assert written == [True, False, True, False, True, False]


def test_on_a_disk_counts_alone_wait_a_minute(results: Path, health: Health, hand: HandClock) -> None:
    file = make(results, health, hand)
    written = [file.turn()]
    for wait in (5, 50, 5):
        hand.wait(wait)
        health.accept(classified())
        written.append(file.turn())
    hand.wait(5)
    health.pause("the disk is full")
    written.append(file.turn())

    # The first finding says which model and engine answer, which is more than a count.
    assert written == [True, True, False, False, True]


def test_nothing_new_writes_nothing(results: Path, health: Health, hand: HandClock) -> None:
    file = make(results, health, hand)
    file.turn()
    hand.wait(3600)

    assert not file.turn()


def test_under_a_service_the_results_hold_a_link(results: Path, health: Health, hand: HandClock, runtime: Path) -> None:
    with make(results, health, hand, runtime):
        assert (results / ".state").readlink() == runtime / "state.json"
        assert life(read(results)) == "alive"


def test_a_link_that_was_left_is_replaced(results: Path, health: Health, hand: HandClock, runtime: Path) -> None:
    (results / ".state").symlink_to(results / "elsewhere")
    (results / ".state.new").write_text("left by a power cut")

    with make(results, health, hand, runtime):
        assert life(read(results)) == "alive"


def test_a_full_results_folder_is_asked_for_a_service(
    results: Path, health: Health, hand: HandClock, runtime: Path
) -> None:
    file = make(results, health, hand, runtime)
    file.turn()  # as if the link could not be made

    by_variable = state_file.read(results, {"RUNTIME_DIRECTORY": f"{runtime}:/run/other"}, service=results / "none")
    by_place = state_file.read(results, {}, service=runtime / "state.json")
    of_another = state_file.read(runtime, {}, service=results / ".state")

    assert by_variable == by_place
    assert by_place is not None
    assert of_another is None


def test_the_end_leaves_the_last_state_in_the_results(
    results: Path, health: Health, hand: HandClock, runtime: Path
) -> None:
    with make(results, health, hand, runtime):
        health.accept(classified())
        health.stopping()
        hand.wait(60)

    record = read(results)
    assert (life(record), record.ended, record.failure) == ("ended", "2024-05-01T09:31:00.000Z", None)
    assert (record.state.state, record.state.answered) == ("stopping", 1)
    assert not (results / ".state").is_symlink()
    assert list(runtime.iterdir()) == []
    assert [path.name for path in results.iterdir()] == [".state"]


def test_an_end_with_an_error_says_which(results: Path, health: Health, hand: HandClock) -> None:
    with pytest.raises(ValueError, match="the disk"), make(results, health, hand):
        raise ValueError("the disk is gone")

    assert read(results).failure == "the disk is gone"


def test_an_interruption_is_no_failure(results: Path, health: Health, hand: HandClock) -> None:
    with pytest.raises(KeyboardInterrupt), make(results, health, hand):
        raise KeyboardInterrupt

    assert (life(read(results)), read(results).failure) == ("ended", None)


def test_what_cannot_be_written_is_left_out(tmp_path: Path, health: Health, hand: HandClock) -> None:
    with make(tmp_path / "gone", health, hand) as file:
        hand.wait(60)
        assert not file.turn()

    assert state_file.read(tmp_path / "gone", {}, service=tmp_path / "none") is None


def test_a_failed_write_is_tried_again_and_leaves_nothing(results: Path, health: Health, hand: HandClock) -> None:
    file = make(results, health, hand)
    (results / ".state").mkdir()  # nothing can be put in its place
    first = file.turn()
    left = [path.name for path in results.iterdir()]
    (results / ".state").rmdir()
    at_once = file.turn()
    hand.wait(60)

    assert (first, left, at_once, file.turn()) == (False, [".state"], False, True)


@pytest.mark.parametrize("content", [b"", b"{", b'{"schema": "edge-pneumo/state/2"}', b"\xff", b'{"results": "\xff"}'])
def test_what_is_no_state_is_none(results: Path, content: bytes) -> None:
    (results / ".state").write_bytes(content)

    assert state_file.read(results, {}, service=results / "none") is None


def test_a_link_into_nothing_is_a_watcher_that_was_lost(results: Path) -> None:
    before = has_lost_one(results)
    (results / ".state").symlink_to(results / "gone")

    assert (before, has_lost_one(results)) == (False, True)


# Whose state is it?


@pytest.fixture
def record(results: Path, health: Health, hand: HandClock) -> Record:
    make(results, health, hand).turn()
    return read(results)


def test_a_process_of_the_same_number_is_another(record: Record) -> None:
    later = msgspec.structs.replace(HERE, started=(HERE.started or 0) + 1)

    assert life(record, look=lambda _: later) == "dead"


def test_a_new_start_of_the_machine_ends_all(record: Record) -> None:
    assert life(record, msgspec.structs.replace(HERE, boot="another")) == "dead"


def test_a_container_is_not_looked_into(record: Record) -> None:
    assert life(record, msgspec.structs.replace(HERE, namespace="pid:[1]")) == "elsewhere"


def test_where_times_are_hidden_the_number_has_to_do(record: Record) -> None:
    assert life(record, look=lambda _: msgspec.structs.replace(HERE, started=None)) == "alive"


def test_a_real_process_is_alive_then_unburied_then_gone(record: Record) -> None:
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    of_child = msgspec.structs.replace(record, process=process_of(child.pid))
    alive = life(of_child)
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)  # it has ended, and still has its number
    unburied = life(of_child)
    child.wait()

    assert (alive, unburied, life(of_child)) == ("alive", "dead", "dead")


def test_a_process_of_another_user_is_seen() -> None:
    assert process_of(1).pid == 1


def test_this_process_was_started_at_some_time() -> None:
    assert Process(os.getpid(), HERE.boot, HERE.started, HERE.namespace) == HERE
    assert HERE.started is not None
    assert len(HERE.boot) == 36
