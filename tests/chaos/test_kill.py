"""A short run of ``python -m tests.chaos.kill``."""

from pathlib import Path

import pytest

from tests.chaos import kill
from tests.chaos.agreement import DisagreementError
from tests.chaos.watcher import Nursery


def test_killed_at_any_moment_nothing_is_lost_or_doubled(tmp_path: Path) -> None:
    killer = kill.run(tmp_path, moments=25, files=100, heatmaps=0.3, seed=11)

    assert len(killer.put_in) == 100
    assert sum(killer.killed.values()) == 25
    assert {"start", "work", "idle"} <= killer.killed.keys()
    assert killer.told


def test_a_finding_that_goes_missing_in_between_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def finish(killer: kill.Killer, watchers: Nursery) -> None:
        next(killer.results.rglob("*.json")).unlink()
        actual(killer, watchers)

    actual = kill.Killer.finish
    monkeypatch.setattr(kill.Killer, "finish", finish)

    with pytest.raises(DisagreementError, match="which is not there"):
        kill.run(tmp_path, moments=4, files=12, heatmaps=0.0, seed=2)


def test_a_watcher_that_ends_by_itself_is_seen(tmp_path: Path) -> None:
    with pytest.raises(DisagreementError, match="ended by itself"):
        kill.run(tmp_path, moments=4, files=12, heatmaps=0.0, seed=2, bundle=tmp_path / "none.tflite")
