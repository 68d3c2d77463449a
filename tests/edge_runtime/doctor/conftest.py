from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.edge_runtime.doctor.boards import Board, healthy_board


@pytest.fixture(scope="session")
def replies(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What this Python says of itself, asked once."""
    return tmp_path_factory.mktemp("replies")


@pytest.fixture
def board(replies: Path) -> Iterator[Board]:
    with healthy_board(replies) as found:
        yield found
