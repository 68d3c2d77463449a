import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.bundles import SIZE, make_tiny_bundle


@pytest.fixture(scope="session")
def chest_xray() -> Path:
    """The published data set, where this machine has it."""
    name = os.environ.get("EDGE_PNEUMO_DATA")
    if not name:
        pytest.skip("needs the published data set; set EDGE_PNEUMO_DATA to its folder chest_xray")
    folder = Path(name)
    assert (folder / "test" / "PNEUMONIA").is_dir(), f"EDGE_PNEUMO_DATA={name} is not the data set's folder chest_xray"
    return folder


@pytest.fixture(scope="session", autouse=True)
def no_models_of_this_machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where the program looks for installed models; those of the person who runs the tests are none of theirs."""
    folder = tmp_path_factory.mktemp("models")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EDGE_PNEUMO_MODELS", str(folder))
        yield folder


@pytest.fixture(scope="session")
def tiny_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A real int8 bundle that calls bright pictures pneumonia."""
    return make_tiny_bundle(tmp_path_factory.mktemp("bundle"))


@pytest.fixture(scope="session")
def small_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same for pictures of half the size."""
    return make_tiny_bundle(tmp_path_factory.mktemp("small"), SIZE // 2, "small")
