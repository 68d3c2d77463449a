import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge_runtime.model import bundle
from edge_runtime.model.bundle import Bundle
from edge_runtime.model.engines import edgetpu_devices
from edge_runtime.model.engines.edgetpu_devices import LIBRARY_VARIABLE
from tests.edge_runtime.model.edgetpu import coral
from tests.edge_runtime.model.edgetpu.coral import Coral


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The library that stands for Google's; see ``coral.c``."""
    if coral.COMPILER is None:
        pytest.skip("needs a C compiler (cc), to make a library of Edge TPUs")
    return coral.build(tmp_path_factory.mktemp("library"))


@pytest.fixture(scope="session")
def compiled_file(default_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The default bundle, with its model compiled in it."""
    return coral.with_compiled(default_bundle, tmp_path_factory.mktemp("bundle") / "compiled.tflite")


@pytest.fixture(scope="session")
def compiled(compiled_file: Path) -> Bundle:
    return bundle.read(compiled_file)


@pytest.fixture
def root(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A machine's devices; a short name, as a socket's may have 108 characters."""
    with tempfile.TemporaryDirectory() as folder:
        monkeypatch.setenv(coral.FOLDER_VARIABLE, str(coral.sockets(Path(folder))))
        yield Path(folder)


@pytest.fixture
def device(root: Path, compiled: Bundle) -> Iterator[Coral]:
    with Coral(root, compiled.tflite) as plugged_in:
        yield plugged_in


@pytest.fixture
def plugged_in(root: Path, library: Path, device: Coral, monkeypatch: pytest.MonkeyPatch) -> Coral:
    monkeypatch.setattr(edgetpu_devices, "ROOT", root)
    monkeypatch.setenv(LIBRARY_VARIABLE, str(library))
    return device
