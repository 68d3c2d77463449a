"""What an engine is: the one thing the classifier knows of the library that runs the model."""

from collections.abc import Sequence
from typing import Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray


class RawOutputs(msgspec.Struct, frozen=True):
    """The model's integer outputs for one radiograph.

    Attributes:
        scores: ``int8`` of shape ``(3,)``: logits of normal, bacterial, viral.
        maps: ``int8`` of shape ``(rows, columns, 3)``: class activation maps.
        features: ``int8`` of shape ``(channels,)``: the last feature maps, each averaged over its cells.
    """

    scores: NDArray[np.int8]
    maps: NDArray[np.int8]
    features: NDArray[np.int8]


class Quantization(msgspec.Struct, frozen=True):
    """How integers stand for real numbers: ``real = scale * (integer - zero)``."""

    scores_scale: float
    scores_zero: int
    map_scale: float
    map_zero: int
    features_scale: float
    features_zero: int


def tell_apart(shapes: Sequence[Sequence[int]], classes: int) -> tuple[int, int, int] | None:
    """Which of a model's outputs are scores, map and features: their indices, by their shapes alone.

    Converters name and order outputs as they like. Scores are ``(1, classes)``, the map is ``(1, rows, columns,
    classes)``, the features are ``(1, channels)`` with more channels than classes.

    Returns:
        ``None`` where these three are not all there is.
    """
    found = {}
    for index, shape in enumerate(shapes):
        rank, last = len(shape), shape[-1] if len(shape) else 0
        if rank == 2 and shape[0] == 1 and last == classes:
            found["scores"] = index
        elif rank == 4 and shape[0] == 1 and last == classes:
            found["map"] = index
        elif rank == 2 and shape[0] == 1 and last > classes:
            found["features"] = index
    if len(shapes) != 3 or len(found) != 3:
        return None
    return found["scores"], found["map"], found["features"]


class Runner(Protocol):
    """What runs a model.

    Attributes:
        name: The library, its version and its number of threads, or the device and the library.
        tolerance: The largest difference from the golden vectors, in integer steps, at which its outputs still count
            as reproduced.
    """

    @property
    def name(self) -> str: ...

    @property
    def tolerance(self) -> int: ...

    def invoke(self, pixels: NDArray[np.uint8]) -> RawOutputs:
        """Run the model on ``uint8`` pixels of shape ``(1, height, width, 1)``."""
        ...


class Engine(Runner, Protocol):
    """Runs one model. Not thread safe: one thread owns it.

    **An engine whose device can go away** in mid-run, such as an Edge TPU, is wrapped in one that answers in any case
    (``model.accelerated``), by these rules:

    1. ``invoke`` notices the loss, and answers the same radiograph by the same bundle on the CPU. It says so by
       ``Health.degrade(sentence)``, whose part is ``engine``.
    2. The device is tried again between two radiographs, at growing intervals. It answers again, and
       ``Health.recover()`` is called, only when it has given the golden vectors anew.
    3. ``name`` and ``tolerance`` are those of what answered last: ``name`` is asked after each inference, so that each
       finding tells what answered it. ``quantization`` is the bundle's, whatever runs it.
    4. No call takes longer than half the watchdog's interval, or the service is started anew for it. A device's library
       may hang, with Python's lock held, or abort: it runs in a process of its own, which is waited for so long and
       killed.

    Attributes:
        quantization: Of the outputs.
    """

    @property
    def quantization(self) -> Quantization: ...
