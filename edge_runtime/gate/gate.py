"""The gate's two looks, before the network and after it, and its reasons in words."""

from typing import Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray

from edge_runtime.clock import SYSTEM_CLOCK, Clock
from edge_runtime.gate import atlas as atlas_
from edge_runtime.gate import features as features_
from edge_runtime.gate import statistics
from edge_runtime.gate.store import Gate

NOT_A_RADIOGRAPH = "not a frontal chest radiograph, or none that can be read as one"
NOT_LIKE_THE_LEARNED = "too unlike the chest radiographs the model learned from for its answer to mean anything"
CORRECTED = "inverted: black and white were exchanged before the answer"


class Screened(msgspec.Struct, frozen=True, eq=False):
    """What the look before the network found.

    Attributes:
        grey: The picture, a negative turned into a positive; ``uint8`` of shape ``(height, width)``.
        notes: What was corrected, in words.
        distance: From radiographs, above 1 refused.
        reason: Why it is refused, or ``None``.
    """

    grey: NDArray[np.uint8]
    notes: tuple[str, ...]
    distance: float
    reason: str | None


class Screening(Protocol):
    """A look before the network that has been begun, here or in another process. Its methods may be called anywhere."""

    def is_ready(self) -> bool:
        """Whether ``result`` waits for nothing."""
        ...

    def result(self) -> tuple[Screened, float]:
        """What ``before`` finds, and the milliseconds it took."""
        ...


class ScreenedHere:
    """A look in this process, at once."""

    def __init__(self, grey: NDArray[np.uint8], gate: Gate, *, clock: Clock = SYSTEM_CLOCK) -> None:
        start = clock.seconds()
        found = before(grey, gate)
        self._result = found, clock.milliseconds_since(start)

    def is_ready(self) -> bool:
        return True

    def result(self) -> tuple[Screened, float]:
        return self._result


def before(grey: NDArray[np.uint8], gate: Gate) -> Screened:
    """Look at a picture's grey levels and their layout.

    Args:
        grey: ``uint8`` of shape ``(height, width)``.
        gate: From the bundle.
    """
    pixels = statistics.square(grey)
    distance, reason = statistics.judge(statistics.measure(pixels), gate.limits)
    if reason is not None:
        return Screened(grey, (), distance, reason)
    layout = atlas_.layout(pixels)
    as_it_is = float(atlas_.scaled(atlas_.place(layout.reshape(1, -1), gate.atlas), gate.atlas)[0])
    if as_it_is <= 1.0:
        return Screened(grey, (), max(distance, as_it_is), None)
    # Only what is refused is looked at from all sides.
    views = atlas_.views(layout)
    found = atlas_.place(np.stack(list(views.values())), gate.atlas)
    scaled = dict(zip(views, atlas_.scaled(found, gate.atlas).tolist(), strict=True))
    score = dict(zip(views, found.score.tolist(), strict=True))
    clear = [words for words in views if scaled[words] <= 1.0 and score[words] >= gate.atlas.clear]
    if clear == [atlas_.INVERTED] and score[atlas_.AS_IT_IS] < 0.0:
        distance, reason = statistics.judge(statistics.measure(np.asarray(255 - pixels, np.uint8)), gate.limits)
        return screened(grey, max(distance, scaled[atlas_.INVERTED]), reason, is_negative=True)
    if len(clear) == 1 and clear[0] != atlas_.INVERTED:
        reason = f"{clear[0]}: turn it and try again"
    return Screened(grey, (), max(distance, as_it_is), reason or NOT_A_RADIOGRAPH)


def screened(grey: NDArray[np.uint8], distance: float, reason: str | None, *, is_negative: bool) -> Screened:
    """What ``before`` finds, from what can be said of it in a few bytes."""
    if is_negative:
        return Screened(np.asarray(255 - grey, np.uint8), (CORRECTED,), distance, reason)
    return Screened(grey, (), distance, reason)


def after(features: NDArray[np.floating], gate: Gate) -> float:
    """How far pooled features ``(channels,)``, in real numbers, are from those of radiographs: above 1 refused."""
    distance = features_.distances(features[np.newaxis], gate.features)
    return float(features_.scaled(distance, gate.features)[0])
