"""What can be seen of a picture without knowing what it shows: its exposure, contrast, sharpness and grey levels."""

import math

import cv2
import msgspec
import numpy as np
from numpy.typing import NDArray

# Distances are ratios, and a flat picture's would be infinite, which JSON cannot hold.
FARTHEST = 100.0

_SIZE = 224
_COARSE = 32


class Statistics(msgspec.Struct, frozen=True):
    """Of one picture, or as limits of all.

    Attributes:
        level: Mean grey level, 0 to 255.
        contrast: Standard deviation of the grey levels of 32 x 32 averages.
        sharpness: Standard deviation of the difference between neighbouring pixels of 224 x 224, over ``contrast``.
        extremes: Share of the pixels within 3 grey levels of the two levels that occur most, which is large in text,
            drawings and masks.
    """

    level: float
    contrast: float
    sharpness: float
    extremes: float


def measure(pixels: NDArray[np.uint8]) -> Statistics:
    """Measure grey pixels of shape ``(224, 224)``."""
    contrast = float(block_means(pixels).std())
    counts = cv2.calcHist([pixels], [0], None, [256], [0, 256]).ravel().astype(np.int64)
    near = np.convolve(counts, np.ones(7, np.int64), mode="same")
    first = int(near.argmax())
    others = near.copy()
    others[max(first - 6, 0) : first + 7] = 0
    return Statistics(
        level=float(pixels.mean()),
        contrast=contrast,
        sharpness=_spread_of_steps(pixels) / max(contrast, 1e-3),
        extremes=float(near[first] + others.max()) / pixels.size,
    )


def block_means(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Averages over blocks of 7 x 7: ``float32`` of shape ``(32, 32)``, exact and the same on every processor."""
    side = _SIZE // _COARSE
    corners = cv2.integral(pixels)[::side, ::side]  # sums of all that lies above and to the left, as integers
    rows = corners[1:] - corners[:-1]
    return np.asarray((rows[:, 1:] - rows[:, :-1]) / np.float32(side * side), np.float32)


def _spread_of_steps(pixels: NDArray[np.uint8]) -> float:
    """Standard deviation of the differences between neighbours, down and across, from exact sums."""
    squares = cv2.norm(pixels[1:], pixels[:-1], cv2.NORM_L2SQR)
    squares += cv2.norm(pixels[:, 1:], pixels[:, :-1], cv2.NORM_L2SQR)
    # All differences along a line add up to that between its ends.
    first, last = (int(pixels[at].sum()) + int(pixels[:, at].sum()) for at in (0, -1))
    number = 2 * pixels.size - sum(pixels.shape)
    return math.sqrt(max(squares / number - ((last - first) / number) ** 2, 0.0))


def square(grey: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Any grey picture squashed to ``(224, 224)`` as the model's input is."""
    if grey.shape == (_SIZE, _SIZE):
        return grey
    return np.asarray(cv2.resize(grey, (_SIZE, _SIZE), interpolation=cv2.INTER_LINEAR_EXACT), np.uint8)


class Limits(msgspec.Struct, frozen=True):
    """The least and the most that a radiograph shows of each statistic."""

    least: Statistics
    most: Statistics


def judge(found: Statistics, limits: Limits) -> tuple[float, str | None]:
    """The largest distance over all limits, 1.0 at a limit, and the reason where one is passed."""
    ratios = [
        # Blank comes first: nothing else can be said of a picture without contrast.
        (limits.least.contrast / max(found.contrast, 1e-3), "blank: the picture shows hardly any difference"),
        (limits.least.level / max(found.level, 1e-3), "too dark: expose it anew, or scan it brighter"),
        ((255.0 - limits.most.level) / max(255.0 - found.level, 1e-3), "too bright: expose it anew, or scan it darker"),
        (limits.least.sharpness / max(found.sharpness, 1e-3), "blurred: nothing of the lungs' structure is left"),
        (found.sharpness / limits.most.sharpness, "not a chest radiograph: noise, text or a pattern"),
        (found.extremes / limits.most.extremes, "not a chest radiograph: text, a drawing or a mask of few grey levels"),
    ]
    distance, reason = 0.0, None
    for ratio, words in ratios:
        ratio = min(ratio, FARTHEST)
        if ratio > 1.0 and reason is None:
            reason = words
        distance = max(distance, ratio)
    return distance, reason


def as_array(statistics: Statistics) -> NDArray[np.float64]:
    """The statistics in the order of their fields."""
    return np.array([getattr(statistics, field.name) for field in msgspec.structs.fields(Statistics)], np.float64)


def from_array(values: NDArray[np.float64]) -> Statistics:
    """The statistics that ``as_array`` made."""
    return Statistics(*(float(value) for value in values))
