"""Devices that do what a test says, and who is told of them: no process, no library."""

import numpy as np
from numpy.typing import NDArray

from edge_runtime.errors import EngineError
from edge_runtime.model.accelerated import Intervals
from edge_runtime.model.engines import RawOutputs
from tests.engines import ScriptedEngine, bundle_without_model

PIXELS = np.zeros((1, 224, 224, 1), np.uint8)
BUNDLE = bundle_without_model()
# Nothing happens by itself: a test tends.
NEVER = Intervals(check=3600.0, first_pause=1000.0, longest_pause=3000.0)


class Device(ScriptedEngine):
    """An accelerator that does what a test says."""

    def __init__(self, number: int = 0) -> None:
        super().__init__([0, 0, 0], BUNDLE.golden.maps[0])
        self.name = f"device {number}"
        self.tolerance = 4
        self.off = 0
        self.fails = self.is_closed = False

    def invoke(self, pixels: NDArray[np.uint8]) -> RawOutputs:
        assert not self.is_closed
        if self.fails:
            raise EngineError(f"the {self.name} failed")
        outputs = super().invoke(pixels)
        return RawOutputs(outputs.scores + np.int8(self.off), outputs.maps, outputs.features)

    def close(self) -> None:
        self.is_closed = True


class Port:
    """Where devices are plugged in, one after the other."""

    def __init__(self) -> None:
        self.devices: list[Device] = []
        self.is_empty = False

    def open(self) -> Device:
        if self.is_empty:
            raise EngineError("there is no device")
        self.devices.append(Device(len(self.devices)))
        return self.devices[-1]


class Said:
    def __init__(self) -> None:
        self.all: list[str] = []

    def lost(self, sentence: str) -> None:
        self.all.append(f"lost: {sentence}")

    def back(self, sentence: str) -> None:
        self.all.append(f"back: {sentence}")
