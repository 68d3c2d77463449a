"""What the tests of how a watcher stands begin with."""

from pathlib import Path

import pytest

from edge_runtime.health.health import Health
from tests.edge_runtime.clocks import HandClock


@pytest.fixture
def hand() -> HandClock:
    return HandClock()


@pytest.fixture
def health(hand: HandClock) -> Health:
    return Health(clock=hand.clock)


@pytest.fixture
def results(tmp_path: Path) -> Path:
    folder = tmp_path / "in-results"
    folder.mkdir()
    return folder
