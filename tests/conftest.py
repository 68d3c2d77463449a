import os
from pathlib import Path

import pytest

from tests.bundles import make_tiny_bundle


@pytest.fixture(scope="session")
def chest_xray() -> Path:
    """The published data set, where this machine has it."""
    name = os.environ.get("EDGE_PNEUMO_DATA")
    if not name:
        pytest.skip("needs the published data set; set EDGE_PNEUMO_DATA to its folder chest_xray")
    folder = Path(name)
    assert (folder / "test" / "PNEUMONIA").is_dir(), f"EDGE_PNEUMO_DATA={name} is not the data set's folder chest_xray"
    return folder


@pytest.fixture(scope="session")
def tiny_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A real int8 bundle that calls bright pictures pneumonia."""
    return make_tiny_bundle(tmp_path_factory.mktemp("bundle"))
