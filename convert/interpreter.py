"""Running a ``.tflite`` here: its answers, and the output of every layer."""

import os
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from ai_edge_litert.interpreter import Interpreter
from numpy.typing import NDArray

from convert import flatbuffer
from edge_runtime.errors import UsageError
from edge_runtime.model.bundle import LABELS
from edge_runtime.model.engines.interface import tell_apart

Advance = Callable[[int], None]


@dataclass(frozen=True)
class Outputs:
    """What a model answered, as it came out and in real numbers.

    Attributes:
        scores: ``int8``, or ``float32`` from a float model, of shape ``(n, 3)``.
        maps: Likewise of shape ``(n, rows, columns, 3)``.
        features: Likewise of shape ``(n, channels)``.
        logits: ``float64`` of shape ``(n, 3)``: the scores in real numbers.
        pooled: ``float64`` of shape ``(n, channels)``: the features in real numbers.
        pooled_step: What one step of the features' integers stands for; 0 from a float model.
    """

    scores: NDArray[Any]
    maps: NDArray[Any]
    features: NDArray[Any]
    logits: NDArray[np.float64]
    pooled: NDArray[np.float64]
    pooled_step: float


def run(
    model: bytes, pixels: NDArray[np.uint8], *, threads: int | None = None, advance: Advance = lambda _: None
) -> Outputs:
    """Run images one by one, as a device does.

    Args:
        model: With the outputs ``scores``, ``map`` and ``features``, in any order.
        pixels: ``uint8`` of shape ``(n, height, width, 1)``.
        threads: ``None`` for all.
        advance: Called with 1 for each image done.

    Raises:
        UsageError: The model has other outputs.
    """
    interpreter = Interpreter(model_content=model, num_threads=threads or os.cpu_count())
    interpreter.allocate_tensors()
    (entrance,) = interpreter.get_input_details()
    outputs = interpreter.get_output_details()
    places = tell_apart([[int(n) for n in tensor["shape"]] for tensor in outputs], len(LABELS))
    if places is None:
        raise UsageError(
            "The model does not answer with scores, map and features: convert it anew with 'python -m convert'."
        )
    scores, maps, features = (outputs[place] for place in places)
    answers = []
    for image in pixels:
        interpreter.set_tensor(entrance["index"], image[np.newaxis].astype(entrance["dtype"]))
        interpreter.invoke()
        answers.append([interpreter.get_tensor(tensor["index"])[0] for tensor in (scores, maps, features)])
        advance(1)
    found = [np.stack(column) for column in zip(*answers, strict=True)]
    step = float(features["quantization"][0]) if features["dtype"] == np.int8 else 0.0
    return Outputs(found[0], found[1], found[2], _real(found[0], scores), _real(found[2], features), step)


def _real(found: NDArray[Any], tensor: dict[str, Any]) -> NDArray[np.float64]:
    scale, zero = tensor["quantization"] if tensor["dtype"] == np.int8 else (1.0, 0)
    return np.asarray((found.astype(np.float64) - zero) * scale)


class Layers:
    """An int8 model whose convolutions can be looked into."""

    def __init__(self, model: bytes, *, threads: int | None = None) -> None:
        with warnings.catch_warnings():
            # It warns that keeping every tensor costs memory, which is what is wanted here.
            warnings.simplefilter("ignore", UserWarning)
            self._interpreter = Interpreter(
                model_content=model, num_threads=threads or os.cpu_count(), experimental_preserve_all_tensors=True
            )
        self._interpreter.allocate_tensors()
        operators = flatbuffer.read(model).operators
        self._outputs = [operator.outputs[0] for operator in operators if operator.name == "CONV_2D"]

    def features(self, image: NDArray[np.uint8]) -> list[NDArray[np.float32]]:
        """Each convolution's output for one image ``(1, height, width, 1)``, in order, in real numbers."""
        self._interpreter.set_tensor(self._interpreter.get_input_details()[0]["index"], image)
        self._interpreter.invoke()
        return [
            (self._interpreter.get_tensor(output.index).astype(np.float32) - output.zero_points[0]) * output.scales[0]
            for output in self._outputs
        ]
