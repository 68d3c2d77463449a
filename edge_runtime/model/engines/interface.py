"""What an engine is: the one thing the classifier knows of the library that runs the model."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class RawOutputs:
    """The model's integer outputs for one radiograph.

    Attributes:
        scores: ``int8`` of shape ``(3,)``: logits of normal, bacterial, viral.
        maps: ``int8`` of shape ``(rows, columns, 3)``: class activation maps.
    """

    scores: NDArray[np.int8]
    maps: NDArray[np.int8]


@dataclass(frozen=True, slots=True)
class Quantization:
    """How integers stand for real numbers: ``real = scale * (integer - zero)``."""

    scores_scale: float
    scores_zero: int
    map_scale: float
    map_zero: int


class Engine(Protocol):
    """Runs one model. Not thread safe: one thread owns it.

    Attributes:
        name: The library, its version and its number of threads.
        quantization: Of the outputs.
        tolerance: The largest difference from the golden vectors, in integer steps, at which its outputs still count
            as reproduced.
    """

    @property
    def name(self) -> str: ...

    @property
    def quantization(self) -> Quantization: ...

    @property
    def tolerance(self) -> int: ...

    def invoke(self, pixels: NDArray[np.uint8]) -> RawOutputs:
        """Run the model on ``uint8`` pixels of shape ``(1, height, width, 1)``."""
        ...
