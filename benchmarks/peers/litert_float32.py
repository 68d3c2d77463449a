"""LiteRT on the float model that the bundle was made from, where the parity tests keep it."""

import importlib
from importlib.metadata import version
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.peers import Opened
from edge_runtime.errors import UsageError
from edge_runtime.model.bundle import Bundle
from edge_runtime.model.engines.interface import tell_apart

_FOLDER = Path(__file__).parents[2] / "tests" / "parity"


def open_peer(bundle: Bundle, threads: int) -> Opened:
    file = _FOLDER / f"{bundle.info.name}-float16.tflite"
    if not file.exists():
        raise UsageError(f"there is no float model {file.relative_to(_FOLDER.parents[1])}")
    module = importlib.import_module("ai_edge_litert.interpreter")
    interpreter = module.Interpreter(model_content=file.read_bytes(), num_threads=threads)
    interpreter.allocate_tensors()
    (entrance,) = interpreter.get_input_details()
    outputs = interpreter.get_output_details()
    places = tell_apart([[int(n) for n in tensor["shape"]] for tensor in outputs], len(bundle.info.labels))
    if places is None:
        raise UsageError(f"{file.name} is no edge-pneumo model")
    scores = outputs[places[0]]["index"]

    def answer(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        interpreter.set_tensor(entrance["index"], pixels.astype(np.float32))
        interpreter.invoke()
        return np.asarray(interpreter.get_tensor(scores)[0], np.float32)

    return Opened(f"ai-edge-litert {version('ai-edge-litert')}, float32", answer)
