"""OpenVINO: the same integer model, on processors whose instructions it knows better than LiteRT does."""

import importlib
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from edge_runtime.errors import BundleError, EngineError
from edge_runtime.model.bundle import Bundle, BundleInfo
from edge_runtime.model.engines.interface import Quantization, RawOutputs, tell_apart
from edge_runtime.model.engines.tensors import Port, read_ports

# By how many integer steps its outputs may differ from the converter's. A convolution of its own rounds some three of a
# million outputs to the neighbouring integer, and the layers of a VGG-16 make up to 2 steps of that: see docs/speed.md.
TOLERANCE: Final = 2
_TELEMETRY: Final = "openvino_telemetry"
_ELSE: Final = "or run with --engine litert"


class OpenVinoEngine:
    """A bundle's model, compiled for this machine's CPU."""

    tolerance = TOLERANCE

    def __init__(self, model: bytes, info: BundleInfo, library: Any, threads: int) -> None:
        """Compile a model.

        Args:
            model: The bundle's ``.tflite``.
            info: What it should be.
            library: The module ``openvino``.
            threads: For one inference.

        Raises:
            BundleError: OpenVINO refuses the model, or its inputs and outputs are others than ``info`` says.
            EngineError: There is no room for a temporary copy of the model.
        """
        version = str(library.__version__).partition("-")[0]
        self.name = f"openvino {version}, {threads} thread{'' if threads == 1 else 's'}"
        self.quantization = _quantization(model, info)
        try:
            core = library.Core()
            network = _read(core, model)
            geometry = info.input
            # A model for any number of pictures at a time becomes one for one picture.
            network.reshape([1, geometry.height, geometry.width, geometry.channels])
            places = _places(network, info)
            self._request = core.compile_model(network, "CPU", _settings(threads)).create_infer_request()
        except RuntimeError as error:
            sentence = " ".join(str(error).split())
            raise BundleError(
                f"openvino {version} cannot run the model ({sentence}); install another version of it, {_ELSE}"
            ) from error
        self._scores, self._maps, self._features = (self._request.get_output_tensor(place) for place in places)

    def invoke(self, pixels: NDArray[np.uint8]) -> RawOutputs:
        """Run the model on ``uint8`` pixels of shape ``(1, height, width, 1)``."""
        self._request.infer({0: pixels}, share_inputs=True)
        # Copies: the next inference overwrites the request's own memory.
        return RawOutputs(self._scores.data[0].copy(), self._maps.data[0].copy(), self._features.data[0].copy())


def open_engine(
    bundle: Bundle, threads: int, import_module: Callable[[str], Any] = importlib.import_module
) -> OpenVinoEngine:
    """Open the bundle's model in OpenVINO.

    Args:
        bundle: From ``bundle.read``.
        threads: For one inference.
        import_module: How to import a module.

    Raises:
        EngineError: It is not installed, or does not load.
        BundleError: It cannot run the model.
    """
    try:
        with _without_telemetry():
            library = import_module("openvino")
    except ModuleNotFoundError as error:
        raise EngineError(
            f"openvino is not installed; install it with 'pip install \"edge-pneumo[openvino]\"', {_ELSE}"
        ) from error
    except ImportError as error:
        raise EngineError(f"openvino does not load ({error}); install another version of it, {_ELSE}") from error
    return OpenVinoEngine(bundle.tflite, bundle.info, library, threads)


@contextmanager
def _without_telemetry() -> Iterator[None]:
    """Importing OpenVINO tells its maker so over the network, and leaves files at home, if it finds this module."""
    if _TELEMETRY in sys.modules:
        yield
        return
    sys.modules[_TELEMETRY] = None  # type: ignore[assignment]  # so it is not found, which OpenVINO is prepared for
    try:
        yield
    finally:
        del sys.modules[_TELEMETRY]


def _settings(threads: int) -> dict[str, Any]:
    return {
        "PERFORMANCE_HINT": "LATENCY",
        "NUM_STREAMS": 1,
        "INFERENCE_NUM_THREADS": threads,
        # Threads go where this process may run, as LiteRT's do; else they would sit on the first CPUs.
        "ENABLE_CPU_PINNING": False,
        # What is not integer is float32. The default is bfloat16 where the CPU has it: not faster, and further off.
        "INFERENCE_PRECISION_HINT": "f32",
    }


def _read(core: Any, model: bytes) -> Any:
    """OpenVINO reads ``.tflite`` from files of that suffix alone; what it gets is what the checksum was taken of."""
    try:
        with tempfile.TemporaryDirectory(prefix="edge-pneumo-") as folder:
            file = Path(folder, "model.tflite")
            file.write_bytes(model)
            return core.read_model(file)
    except OSError as error:
        raise EngineError(
            f"openvino needs room for a copy of the model in {tempfile.gettempdir()} ({error.strerror}); "
            f"make room, name another folder in TMPDIR, {_ELSE}"
        ) from error


def _quantization(model: bytes, info: BundleInfo) -> Quantization:
    try:
        inputs, outputs = read_ports(model)
    except ValueError as error:
        raise BundleError(f"the model cannot be read ({error}); copy or download the bundle again") from error
    geometry = info.input
    wanted = [("uint8", (1, geometry.height, geometry.width, geometry.channels))]
    places = tell_apart([port.shape for port in outputs], len(info.labels))
    if (
        places is None
        or [(port.dtype, port.shape) for port in inputs] != wanted
        or any(port.dtype != "int8" for port in outputs)
    ):
        found = ", ".join(f"{port.dtype} {list(port.shape)}" for port in inputs + outputs)
        raise BundleError(
            f"the model's tensors ({found}) are not those of an edge-pneumo model; convert it with 'python -m convert'"
        )

    def of(port: Port) -> tuple[float, int]:
        return port.scale, port.zero

    scores, maps, features = (outputs[place] for place in places)
    return Quantization(*of(scores), *of(maps), *of(features))


def _places(network: Any, info: BundleInfo) -> tuple[int, int, int]:
    """OpenVINO's own order of the outputs: the indices of scores, map and features."""
    places = tell_apart([list(output.shape) for output in network.outputs], len(info.labels))
    if places is None or any(output.element_type.to_dtype() != np.int8 for output in network.outputs):
        raise BundleError(
            f"openvino reads other outputs from the model than it has; update it to 2026.2 or newer, {_ELSE}"
        )
    return places
