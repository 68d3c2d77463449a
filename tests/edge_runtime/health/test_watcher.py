from pathlib import Path
from typing import Any

import msgspec
import pytest

from edge_runtime.finding import Model
from edge_runtime.health.health import Health
from edge_runtime.health.state_file import StateFile, this_process
from edge_runtime.health.watcher import describe, exit_status, look
from edge_runtime.status.space import measure
from tests.edge_runtime.clocks import HandClock
from tests.edge_runtime.findings import classified, rejected

NOBODY: dict[str, str] = {}


@pytest.fixture(autouse=True)
def utc(monkeypatch: pytest.MonkeyPatch) -> None:
    import time

    monkeypatch.setenv("TZ", "UTC")
    time.tzset()


@pytest.fixture
def health(hand: HandClock) -> Health:
    return Health(model=Model(name="tiny", sha256="0" * 64), engine="litert 2", clock=hand.clock)


@pytest.fixture
def file(results: Path, health: Health, hand: HandClock) -> StateFile:
    return StateFile(results, Path("/incoming"), health, clock=hand.clock)


def seen(results: Path, **options: Any) -> dict[str, Any]:
    return look(results, NOBODY, service=results / "none", **options)


def text(watcher: dict[str, Any]) -> str:
    return "\n".join(describe(watcher, None))


def test_where_none_ever_ran_that_is_said(results: Path) -> None:
    watcher = seen(results)

    assert (watcher, exit_status(watcher), text(watcher)) == ({"life": "none"}, 0, "watcher      none runs")


def test_one_that_works_is_described(results: Path, health: Health, file: StateFile, hand: HandClock) -> None:
    health.ready()
    for finding in (classified(), rejected()):
        health.accept(finding)
    health.waiting(12, more=True)
    hand.wait(60)
    health.beat()
    file.turn()

    watcher = seen(results)

    assert exit_status(watcher) == 0
    assert (watcher["life"], watcher["state"], watcher["backlog"]) == ("alive", "working", {"files": 12, "more": True})
    assert text(watcher).splitlines() == [
        f"watcher      working since 2024-05-01 09:30:00 (process {this_process().pid}), watching /incoming",
        "waiting      12 or more files",
        "rate         0 in the last minute, 2 in the last hour, 2 since 2024-05-01 09:30:00",
        "engine       none",
    ]


def test_a_pause_is_loud_and_has_a_status_of_its_own(results: Path, health: Health, file: StateFile) -> None:
    health.ready()
    health.pause("findings cannot be written to /srv (No space left on device)")
    file.turn()

    watcher = seen(results)

    assert exit_status(watcher) == 3
    lines = text(watcher).splitlines()
    assert lines[0].startswith("watcher      PAUSED since 2024-05-01 09:30:00 (process ")
    assert lines[1] == (
        "paused       since 2024-05-01 09:30:00: findings cannot be written to /srv (No space left on device); "
        "it goes on by itself"
    )
    assert lines[-1].startswith("last error   2024-05-01 09:30:00: findings cannot be written")


def test_what_is_degraded_works(results: Path, health: Health, file: StateFile) -> None:
    health.ready()
    health.degrade("the Edge TPU is gone, the CPU answers")
    health.degrade("no events from /incoming", part="folder")
    file.turn()

    watcher = seen(results)

    assert exit_status(watcher) == 0
    assert "\ndegraded     since 2024-05-01 09:30:00: the Edge TPU is gone, the CPU answers\n" in text(watcher)
    assert "\ndegraded     since 2024-05-01 09:30:00: no events from /incoming\n" in text(watcher)


def test_one_that_hangs_is_told(results: Path, health: Health, file: StateFile, hand: HandClock) -> None:
    health.beat()
    hand.wait(60)
    file.turn()

    watcher = seen(results)

    assert exit_status(watcher) == 3
    assert "HANGS        no sign of progress since 2024-05-01 09:30:00" in text(watcher)


def test_a_killed_one_is_dead(results: Path, file: StateFile) -> None:
    file.turn()

    watcher = seen(results, here=msgspec.structs.replace(this_process(), boot="another"))

    assert (watcher["life"], exit_status(watcher)) == ("dead", 4)
    assert text(watcher) == (
        "watcher      NONE RUNS: the last one was killed, or the power failed, after 2024-05-01 09:30:00"
    )


def test_a_service_that_took_its_state_along_is_dead(results: Path) -> None:
    (results / ".state").symlink_to("/run/gone/state.json")

    watcher = seen(results)

    assert (watcher, exit_status(watcher)) == ({"life": "dead"}, 4)
    assert "NONE RUNS" in text(watcher)


def test_one_in_another_container_is_believed(results: Path, health: Health, file: StateFile) -> None:
    health.ready()
    file.turn()

    watcher = seen(results, here=msgspec.structs.replace(this_process(), namespace="pid:[1]"))

    assert (watcher["life"], exit_status(watcher)) == ("elsewhere", 0)
    assert "idle since 2024-05-01 09:30:00 (in another container, as of 2024-05-01 09:30:00)" in text(watcher)


@pytest.mark.parametrize(
    ("failure", "life", "status", "words"),
    [
        (None, "ended", 0, "none runs: the last one ended at 2024-05-01 09:30:00, as it was told to"),
        ("no disk\x1b[2J", "failed", 4, "NONE RUNS: the last one ended at 2024-05-01 09:30:00: no disk\\x1b[2J"),
    ],
)
def test_the_end_is_told(
    results: Path, file: StateFile, failure: str | None, life: str, status: int, words: str
) -> None:
    file.close(failure)

    watcher = seen(results)

    assert (watcher["life"], exit_status(watcher), text(watcher)) == (life, status, f"watcher      {words}")


# The disk


def test_room_is_counted_in_findings_of_the_size_of_the_latest(results: Path) -> None:
    (results / "a.png.json").write_bytes(bytes(1000))
    (results / "a.png.heatmap.png").write_bytes(bytes(100_000))
    (results / "b.png.json").write_bytes(bytes(1000))

    found = measure(results, [b"a.png.json", b"b.png.json", b"gone.png.json"])

    assert found is not None
    assert found.finding_bytes is not None
    blocks = [path.stat().st_blocks * 512 for path in results.iterdir()]
    assert found.finding_bytes == round(sum(blocks) / 2)
    assert found.findings_left is not None
    assert 0 <= found.findings_left <= found.free_bytes // found.finding_bytes
    assert found.free_bytes <= found.size_bytes


def test_without_findings_only_the_disk_is_told(results: Path) -> None:
    found = measure(results, [])

    assert found is not None
    assert (found.finding_bytes, found.findings_left, found.is_read_only) == (None, None, False)


def test_a_folder_that_is_not_there_has_no_disk(tmp_path: Path) -> None:
    assert measure(tmp_path / "none", []) is None


def disk_line(**changes: Any) -> str:
    disk = {
        "free_bytes": 12_340_000_000,
        "size_bytes": 31_000_000_000,
        "is_read_only": False,
        "finding_bytes": 102_400,
        "findings_left": 120_507,
    }
    return describe({"life": "none"}, disk | changes)[-1]


def test_the_disk_is_said_in_one_line() -> None:
    assert disk_line() == (
        "disk         12.3 of 31.0 GB free where the results lie: room for about 120,000 findings of 102 kB"
    )
    assert disk_line(findings_left=7).endswith("room for about 7 findings of 102 kB")
    assert disk_line(findings_left=None).endswith("GB free where the results lie")
    assert disk_line(is_read_only=True) == "disk         READ-ONLY: no finding can be written to it"
