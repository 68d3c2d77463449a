"""Short runs of ``python -m tests.chaos.powercut``, and that they find what they are for."""

from pathlib import Path

import pytest

from tests.chaos import powercut
from tests.chaos.agreement import DisagreementError
from tests.chaos.shim import Unsynced


def _needs(way: str) -> None:
    reason = powercut.why_not(way)
    if reason is not None:
        pytest.skip(reason)


@pytest.mark.parametrize(("way", "cuts"), [("log", 15), ("ext4", 6)])
def test_after_a_power_cut_nothing_is_lost_or_doubled(way: str, cuts: int, tmp_path: Path) -> None:
    _needs(way)

    done = list(powercut.WAYS[way](tmp_path, cuts=cuts, seed=11))

    assert len(done) == cuts
    assert len(set(done)) > 1


@pytest.mark.parametrize("unsynced", [one for one in Unsynced if one], ids=lambda one: one.name)
def test_an_fsync_that_is_left_out_is_found(unsynced: Unsynced, tmp_path: Path) -> None:
    _needs("log")

    with pytest.raises(DisagreementError):
        list(powercut.cut_logs(tmp_path, cuts=60, seed=1, unsynced=unsynced))


def test_a_disk_that_forces_nothing_is_found(tmp_path: Path) -> None:
    _needs("log")
    _needs("ext4")

    with pytest.raises(DisagreementError):
        list(powercut.cut_ext4(tmp_path, cuts=20, seed=1, unsynced=Unsynced.ALL))
