"""An engine whose outputs a test chooses, and a bundle to go with it: the parts that need no model file."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge_runtime.gate import Gate
from edge_runtime.model.bundle import Bundle, BundleInfo, Golden, OperatingPoint, UncertainBand
from edge_runtime.model.engines import Quantization, RawOutputs
from tests.gates import wide_open

CHANNELS = 4  # of the pooled features


class ScriptedEngine:
    """Answers every radiograph with the same integers."""

    name = "scripted 1.0, 1 thread"

    def __init__(
        self,
        scores: list[int],
        maps: NDArray[np.int8] | None = None,
        features: NDArray[np.int8] | None = None,
        *,
        scale: float = 0.125,
        zero: int = 0,
        tolerance: int = 0,
    ) -> None:
        self.outputs = RawOutputs(
            np.array(scores, np.int8),
            np.tile(np.array(scores, np.int8), (14, 14, 1)) if maps is None else maps,
            np.zeros(CHANNELS, np.int8) if features is None else features,
        )
        self.quantization = Quantization(scale, zero, scale, zero, scale, zero)
        self.tolerance = tolerance
        self.seen: list[NDArray[np.uint8]] = []

    def invoke(self, pixels: NDArray[np.uint8]) -> RawOutputs:
        self.seen.append(pixels)
        return self.outputs


def bundle_without_model(
    *,
    temperature: float = 1.0,
    threshold: float = 0.5,
    uncertain: UncertainBand | None = None,
    gate: Gate | None = None,
) -> Bundle:
    info = BundleInfo(
        name="scripted",
        created="2024-01-01T00:00:00Z",
        temperature=temperature,
        operating_points={
            "balanced": OperatingPoint(threshold=threshold),
            "screening": OperatingPoint(threshold=threshold / 10),
        },
        uncertain=uncertain,
        source_sha256="0" * 64,
        route="tf-lite-converter",
        versions={},
    )
    golden = Golden(
        np.zeros((2, 224, 224, 1), np.uint8),
        np.zeros((2, 3), np.int8),
        np.zeros((2, 14, 14, 3), np.int8),
        np.zeros((2, CHANNELS), np.int8),
    )
    return Bundle(Path("scripted.tflite"), info, "a" * 64, b"", lambda: golden, {}, {}, gate or wide_open(CHANNELS))
