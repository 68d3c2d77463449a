"""LiteRT: ai-edge-litert, or tflite-runtime, its older name with the same interpreter."""

import importlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from edge_runtime.distribution import version
from edge_runtime.errors import BundleError, EngineError
from edge_runtime.model.bundle import Bundle, BundleInfo
from edge_runtime.model.engines.interface import Quantization, RawOutputs, tell_apart

# Distribution, module, and by how many integer steps its outputs may differ from the converter's, the preferred one
# first.
# ai-edge-litert's integer kernels are the converter's own. tflite-runtime rounds intermediate results otherwise, which
# the layers of a VGG-16 add up to a few steps of 256: see docs/converting.md.
_PACKAGES = (
    ("ai-edge-litert", "ai_edge_litert.interpreter", 0),
    ("tflite-runtime", "tflite_runtime.interpreter", 4),
)
_STDERR = 2

InterpreterFactory = Callable[..., Any]


class Library(msgspec.Struct, frozen=True):
    """An installed interpreter: what to call it, how to make one, and how far from the golden vectors it may be."""

    name: str
    interpreter: InterpreterFactory
    tolerance: int = 0


class LiteRtEngine:
    """A TFLite interpreter that holds a bundle's model."""

    def __init__(self, model: bytes, info: BundleInfo, library: Library, threads: int) -> None:
        """Load a model.

        Args:
            model: The bundle's ``.tflite``.
            info: What it should be.
            library: The interpreter's origin.
            threads: For one inference.

        Raises:
            BundleError: The interpreter refuses the model, or its inputs and outputs are others than ``info`` says.
            EngineError: The interpreter does not work with the numpy that is installed.
        """
        self.name = f"{library.name}, {threads} thread{'' if threads == 1 else 's'}"
        self.tolerance = library.tolerance
        try:
            with _without_info_lines():
                self._interpreter = library.interpreter(model_content=model, num_threads=threads)
                self._interpreter.allocate_tensors()
        except SystemError as error:  # tflite-runtime under numpy 2, where it can be imported all the same
            raise EngineError(
                f"{library.name} does not work with numpy {np.__version__}; install one with 'pip install "
                "ai-edge-litert', or the older numpy with 'pip install \"numpy<2\"'"
            ) from error
        except (ValueError, RuntimeError) as error:
            sentence = " ".join(str(error).split())
            raise BundleError(
                f"{library.name} cannot run the model ({sentence}); update it, or convert the model anew"
            ) from error
        inputs, outputs = self._interpreter.get_input_details(), self._interpreter.get_output_details()
        scores, maps, features = _check_tensors(inputs, outputs, info)
        self._input = inputs[0]["index"]
        self._scores, self._maps, self._features = scores["index"], maps["index"], features["index"]
        self.quantization = Quantization(*_scale_and_zero(scores), *_scale_and_zero(maps), *_scale_and_zero(features))

    def invoke(self, pixels: NDArray[np.uint8]) -> RawOutputs:
        """Run the model on ``uint8`` pixels of shape ``(1, height, width, 1)``."""
        self._interpreter.set_tensor(self._input, pixels)
        self._interpreter.invoke()
        # get_tensor copies, and so must it be: the next inference overwrites the interpreter's own memory.
        tensor = self._interpreter.get_tensor
        return RawOutputs(tensor(self._scores)[0], tensor(self._maps)[0], tensor(self._features)[0])


def open_engine(bundle: Bundle, threads: int) -> LiteRtEngine:
    """Open the bundle's model in the installed interpreter.

    Raises:
        EngineError: None is installed, or it does not work here.
        BundleError: It cannot run the model.
    """
    return LiteRtEngine(bundle.tflite, bundle.info, find_library(), threads)


def find_library(
    import_module: Callable[[str], Any] = importlib.import_module, version: Callable[[str], str] = version
) -> Library:
    """The preferred interpreter that can be imported.

    Args:
        import_module: How to import a module.
        version: How to learn a distribution's version.

    Raises:
        EngineError: There is none.
    """
    failures = []
    for package, module, tolerance in _PACKAGES:
        try:
            return Library(f"{package} {version(package)}", import_module(module).Interpreter, tolerance)
        except ModuleNotFoundError:  # importlib.metadata.PackageNotFoundError is one, too
            failures.append(f"{package} is not installed")
        except (ImportError, AttributeError) as error:  # as tflite-runtime under numpy 2 may
            failures.append(f"{package} does not load: {error}")
    raise EngineError(f"no inference engine ({'; '.join(failures)}); install one with 'pip install ai-edge-litert'")


def _scale_and_zero(tensor: dict[str, Any]) -> tuple[float, int]:
    scale, zero = tensor["quantization"]
    return float(scale), int(zero)


def _check_tensors(
    inputs: list[dict[str, Any]], outputs: list[dict[str, Any]], info: BundleInfo
) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """The outputs in the order of ``RawOutputs``."""
    geometry, classes = info.input, len(info.labels)
    found = [_describe(tensor) for tensor in inputs] + sorted(_describe(tensor) for tensor in outputs)
    places = tell_apart([[int(n) for n in tensor["shape"]] for tensor in outputs], classes)
    fits = [_describe(tensor) for tensor in inputs] == [
        f"uint8 [1, {geometry.height}, {geometry.width}, {geometry.channels}]"
    ] and all(tensor["dtype"] == np.int8 for tensor in outputs)
    if places is None or not fits:
        raise BundleError(
            f"the model's tensors ({', '.join(found)}) are not those of an edge-pneumo model; "
            "convert it with 'python -m convert'"
        )
    scores, maps, features = (outputs[place] for place in places)
    return scores, maps, features


def _describe(tensor: dict[str, Any]) -> str:
    return f"{np.dtype(tensor['dtype']).name} {[int(n) for n in tensor['shape']]}"


@contextmanager
def _without_info_lines() -> Iterator[None]:
    """Keep the library's ``INFO:`` lines from standard error; whatever else it writes there comes out at the end.

    It writes to the file descriptor, past ``sys.stderr``, and the Python package has no switch for it.
    """
    if not hasattr(os, "memfd_create"):
        yield
        return
    kept, caught = os.dup(_STDERR), os.memfd_create("stderr")
    os.dup2(caught, _STDERR)
    try:
        yield
    finally:
        os.dup2(kept, _STDERR)
        os.close(kept)
        with os.fdopen(caught, "rb") as file:
            file.seek(0)
            for line in file:
                if not line.startswith(b"INFO:"):
                    os.write(_STDERR, line)
