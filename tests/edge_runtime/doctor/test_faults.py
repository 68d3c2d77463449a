"""``doctor`` names every fault, and no other one with it."""

import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from edge_runtime.doctor.verdict import Check
from tests.edge_runtime.doctor.boards import Board, healthy_board
from tests.edge_runtime.doctor.faults import FAULTS, Fault, planted
from tests.edge_runtime.doctor.plants import CannotPlantError


@pytest.fixture(scope="module")
def healthy(replies: Path) -> Mapping[str, Check]:
    with healthy_board(replies) as found:
        return found.examine()


def test_a_healthy_board_has_nothing_to_say(healthy: Mapping[str, Check]) -> None:
    assert [check for check in healthy.values() if check.status in ("warn", "fail")] == []
    assert {check.name: check.found for check in healthy.values() if check.status == "skip"} == {"watcher": "none runs"}


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_fault_is_named(fault: Fault, board: Board, healthy: Mapping[str, Check]) -> None:
    try:
        with planted(board, fault):
            found = board.examine()
    except CannotPlantError as error:
        pytest.skip(str(error))

    named = found[fault.check]
    assert named.status == fault.status
    assert fault.said in f"{named.found} {named.advice}"
    assert named.advice
    hidden = dict.fromkeys(fault.hides + (() if os.geteuid() == 0 else fault.hides_without_root), "skip")
    others = {name: check.status for name, check in found.items() if name != fault.check}
    assert others == {name: hidden.get(name, healthy[name].status) for name in others}
