"""The engine with a library of the test's own, and, where it is installed, with OpenVINO itself."""

import importlib
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import numpy as np
import pytest

from edge_runtime.errors import BundleError, EngineError
from edge_runtime.model import bundle, installed
from edge_runtime.model.bundle import Bundle, InputGeometry
from edge_runtime.model.classifier import is_reproduced, verify_golden
from edge_runtime.model.engines import litert
from edge_runtime.model.engines.openvino import TOLERANCE, OpenVinoEngine, open_engine


@pytest.fixture
def opened(tiny_bundle: Path) -> Bundle:
    return bundle.read(tiny_bundle)


@pytest.fixture
def library() -> Any:
    return pytest.importorskip("openvino", reason="needs OpenVINO; pip install 'openvino>=2026.2'")


class FakeLibrary:
    """Reads any model as three outputs of the given shapes, and notes what it was told."""

    __version__ = "2030.1.0-20000-abc"

    def __init__(self, *shapes: tuple[int, ...]) -> None:
        self.shapes = shapes
        self.told: dict[str, Any] = {}
        self.reshaped: list[list[int]] = []

    def Core(self) -> Any:  # noqa: N802
        return self

    def read_model(self, path: Path) -> Any:
        self.read = path.read_bytes()
        self.suffix = path.suffix
        int8 = SimpleNamespace(to_dtype=lambda: np.dtype(np.int8))
        outputs = [SimpleNamespace(shape=shape, element_type=int8) for shape in self.shapes]
        return SimpleNamespace(outputs=outputs, reshape=self.reshaped.append)

    def compile_model(self, model: Any, device: str, settings: dict[str, Any]) -> Any:
        self.device, self.told, self.model = device, settings, model
        return self

    def create_infer_request(self) -> Any:
        return self

    def get_output_tensor(self, place: int) -> Any:
        return SimpleNamespace(data=np.full(self.shapes[place], place, np.int8))

    def infer(self, inputs: dict[int, Any], *, share_inputs: bool) -> None:
        self.inputs, self.shared = inputs, share_inputs


SHAPES = ((1, 14, 14, 3), (1, 3), (1, 4))


def test_the_model_is_compiled_for_one_picture_on_so_many_threads_and_no_cpu_is_taken(opened: Bundle) -> None:
    fake = FakeLibrary(*SHAPES)

    engine = OpenVinoEngine(opened.tflite, opened.info, fake, 3)

    assert engine.name == "openvino 2030.1.0, 3 threads"
    assert (fake.read, fake.suffix) == (opened.tflite, ".tflite")
    assert fake.device == "CPU"
    assert fake.reshaped == [[1, 224, 224, 1]]
    assert (fake.told["INFERENCE_NUM_THREADS"], fake.told["ENABLE_CPU_PINNING"]) == (3, False)
    assert fake.told["PERFORMANCE_HINT"] == "LATENCY"


def test_outputs_are_told_apart_by_shape_whatever_their_order(opened: Bundle) -> None:
    outputs = OpenVinoEngine(opened.tflite, opened.info, FakeLibrary(*SHAPES), 1).invoke(opened.golden.pixels[:1])

    assert (outputs.maps.shape, outputs.scores.shape, outputs.features.shape) == ((14, 14, 3), (3,), (4,))
    assert (outputs.maps.max(), outputs.scores.max(), outputs.features.max()) == (0, 1, 2)


def test_other_outputs_than_the_models_are_refused(opened: Bundle) -> None:
    with pytest.raises(BundleError, match=r"openvino reads other outputs.*2026\.2 or newer"):
        OpenVinoEngine(opened.tflite, opened.info, FakeLibrary((1, 3), (1, 4)), 1)


def test_quantization_is_that_of_litert(opened: Bundle) -> None:
    engine = OpenVinoEngine(opened.tflite, opened.info, FakeLibrary(*SHAPES), 1)

    assert engine.quantization == litert.open_engine(opened, 1).quantization


def test_a_model_of_another_size_is_refused(opened: Bundle) -> None:
    info = msgspec.structs.replace(opened.info, input=InputGeometry(height=160, width=160))

    with pytest.raises(BundleError, match=r"tensors \(uint8 \[1, 224, 224, 1\].*are not those of an edge-pneumo model"):
        OpenVinoEngine(opened.tflite, info, FakeLibrary(*SHAPES), 1)


def test_a_model_that_the_library_refuses_is_one_sentence(opened: Bundle) -> None:
    class Refusing(FakeLibrary):
        def compile_model(self, *_: Any) -> Any:
            raise RuntimeError("Exception from core.cpp:105:\nunsupported\n\n")

    with pytest.raises(
        BundleError, match=r"openvino 2030\.1\.0 cannot run the model \(Exception .* unsupported\); "
    ) as e:
        OpenVinoEngine(opened.tflite, opened.info, Refusing(*SHAPES), 1)
    assert "\n" not in str(e.value)


def test_without_room_for_a_copy_the_sentence_says_where_it_is_needed(
    opened: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "nowhere"))

    with pytest.raises(EngineError, match=r"needs room for a copy of the model in .*nowhere .*TMPDIR"):
        OpenVinoEngine(opened.tflite, opened.info, FakeLibrary(*SHAPES), 1)


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (ModuleNotFoundError("No module named 'openvino'"), r"openvino is not installed; .*edge-pneumo\[openvino\]"),
        (ImportError("libopenvino.so: no such file"), r"openvino does not load \(libopenvino\.so: no such file\)"),
    ],
)
def test_a_library_that_cannot_be_imported_says_what_to_do(opened: Bundle, error: Exception, sentence: str) -> None:
    def import_module(_: str) -> Any:
        raise error

    with pytest.raises(EngineError, match=sentence):
        open_engine(opened, 1, import_module)


def test_the_library_is_imported_without_its_telemetry(opened: Bundle) -> None:
    def import_module(_: str) -> Any:
        with pytest.raises(ImportError):
            importlib.import_module("openvino_telemetry")
        return FakeLibrary(*SHAPES)

    open_engine(opened, 1, import_module)

    assert "openvino_telemetry" not in sys.modules


def test_nothing_is_reported_and_nothing_left_at_home(library: Any, tiny_bundle: Path, tmp_path: Path) -> None:
    del library
    program = "import sys; from edge_runtime.cli import main; main(sys.argv[1:]); print(*sys.modules)"
    words = ["verify", "--engine", "openvino", "--bundle", str(tiny_bundle)]

    done = subprocess.run(
        [sys.executable, "-c", program, *words],
        env=os.environ | {"HOME": str(tmp_path)},
        capture_output=True,
        text=True,
    )

    assert "computes what the converter computed" in done.stdout
    assert "openvino" in done.stdout.split()
    assert not [name for name in done.stdout.split() if name.startswith("openvino_telemetry")]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", installed.names())
def test_golden_vectors_are_reproduced_within_the_tolerance(library: Any, name: str) -> None:
    opened = bundle.read(installed.path(name))

    engine = open_engine(opened, 1)

    assert engine.name.startswith(f"openvino {library.__version__.partition('-')[0]}")
    assert is_reproduced(verify_golden(engine, opened.golden), engine)
    assert engine.tolerance == TOLERANCE


def test_its_outputs_outlive_the_next_inference_and_are_those_of_litert(library: Any, opened: Bundle) -> None:
    del library
    engine, reference = open_engine(opened, 1), litert.open_engine(opened, 1)

    found = [engine.invoke(opened.golden.pixels[i : i + 1]) for i in range(3)]

    for i, outputs in enumerate(found):
        expected = reference.invoke(opened.golden.pixels[i : i + 1])
        for name in ("scores", "maps", "features"):
            one, other = getattr(outputs, name), getattr(expected, name)
            assert (one.shape, one.dtype) == (other.shape, other.dtype)
            assert np.abs(one.astype(int) - other).max() <= TOLERANCE
    assert found[0].scores.tolist() != found[2].scores.tolist()


def test_it_reads_nothing_from_a_file_that_stays(
    library: Any, opened: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    del library
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))

    engine = open_engine(opened, 1)

    assert list(tmp_path.iterdir()) == []
    assert engine.invoke(opened.golden.pixels[:1]).scores.shape == (3,)


def test_what_is_no_model_is_refused(library: Any, opened: Bundle) -> None:
    broken = opened.tflite[:100] + bytes(len(opened.tflite) - 100)

    with pytest.raises(BundleError, match="cannot"):
        OpenVinoEngine(broken, opened.info, library, 1)
