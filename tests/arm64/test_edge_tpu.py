"""An Edge TPU's library on a Raspberry Pi: that of the tests, which is no Edge TPU's (``coral.c``), built for arm64.

TFLite hands it structures, one of them by value, which this processor does otherwise than a PC's.
"""

import shutil
import tempfile
from pathlib import Path

import pytest

from edge_runtime.model import bundle, installed
from tests.arm64.conftest import THOROUGH
from tests.arm64.devices import DEVICES, Device
from tests.edge_runtime.model.edgetpu import coral
from tests.edge_runtime.model.edgetpu.coral import Behaviour, Coral
from tools.arm64_root import BOARDS
from tools.debian import UnavailableError

COMPILER = shutil.which("aarch64-linux-gnu-gcc")
SCRIPT = """\
import sys
from pathlib import Path
from edge_runtime.model import bundle
from edge_runtime.model.classifier import verify_golden
from edge_runtime.model.engines.edgetpu import EdgeTpuEngine

opened = bundle.read(Path(sys.argv[1]))
engine = EdgeTpuEngine(opened, "usb:0", library=sys.argv[2], open_seconds=300.0, invoke_seconds=60.0)
report = verify_golden(engine, opened.golden)
print(engine.name, report.identical, "of", report.n)
engine.close()
"""


# All of them take minutes.
@pytest.fixture(params=DEVICES if THOROUGH else DEVICES[:1], ids=" with ".join)
def device(request: pytest.FixtureRequest, packages: Path, tmp_path: Path) -> Device:
    if COMPILER is None:
        pytest.skip("needs aarch64-linux-gnu-gcc, to make an arm64 library of Edge TPUs")
    board, system = request.param
    return Device(BOARDS[board], system, packages, tmp_path)


def ask(device: Device, behaviour: Behaviour, monkeypatch: pytest.MonkeyPatch) -> str:
    library = coral.build(device.folder, COMPILER)
    compiled = coral.with_compiled(installed.path(), device.folder / "compiled.tflite")
    with tempfile.TemporaryDirectory() as folder:  # a short name, as a socket's may have 108 characters
        root = Path(folder)
        monkeypatch.setenv(coral.FOLDER_VARIABLE, str(coral.sockets(root)))
        with Coral(root, bundle.read(compiled).tflite, behaviour=behaviour):
            try:
                result = device.python("-c", SCRIPT, compiled, library)
            except UnavailableError as error:
                pytest.skip(str(error))
    return result.stdout + result.stderr


def test_it_gives_the_golden_vectors(device: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    said = ask(device, "works", monkeypatch)

    assert "Edge TPU usb:0, " in said
    assert "6 of 6" in said


def test_one_that_is_pulled_out_takes_the_library_alone_with_it(
    device: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = ask(device, "crashes", monkeypatch)

    assert "EngineError: the library of the Edge TPU usb:0 crashed (SIGABRT" in said
