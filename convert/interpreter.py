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

Advance = Callable[[int], None]


@dataclass(frozen=True)
class Outputs:
    """What a model answered, as it came out and in real numbers.

    Attributes:
        scores: ``int8``, or ``float32`` from a float model, of shape ``(n, 3)``.
        maps: Likewise of shape ``(n, rows, columns, 3)``.
        logits: ``float64`` of shape ``(n, 3)``: the scores in real numbers.
    """

    scores: NDArray[Any]
    maps: NDArray[Any]
    logits: NDArray[np.float64]


def run(
    model: bytes, pixels: NDArray[np.uint8], *, threads: int | None = None, advance: Advance = lambda _: None
) -> Outputs:
    """Run images one by one, as a device does.

    Args:
        model: With the two outputs ``scores`` and ``map``, in either order.
        pixels: ``uint8`` of shape ``(n, height, width, 1)``.
        threads: ``None`` for all.
        advance: Called with 1 for each image done.
    """
    interpreter = Interpreter(model_content=model, num_threads=threads or os.cpu_count())
    interpreter.allocate_tensors()
    (entrance,) = interpreter.get_input_details()
    scores, maps = sorted(interpreter.get_output_details(), key=lambda tensor: len(tensor["shape"]))
    answers = []
    for image in pixels:
        interpreter.set_tensor(entrance["index"], image[np.newaxis].astype(entrance["dtype"]))
        interpreter.invoke()
        answers.append((interpreter.get_tensor(scores["index"])[0], interpreter.get_tensor(maps["index"])[0]))
        advance(1)
    found = np.stack([answer[0] for answer in answers])
    scale, zero = scores["quantization"] if scores["dtype"] == np.int8 else (1.0, 0)
    return Outputs(found, np.stack([answer[1] for answer in answers]), (found.astype(np.float64) - zero) * scale)


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
