"""The ranges of real numbers that the integers of each feature map shall cover."""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from convert.fold import Conv, Folded
from convert.graph import apply, pooled

INPUT, SCORES, FEATURES = "input", "scores", "features"
METHODS: Final = ("minmax", "percentile", "mse")
COUNTING: Final = frozenset({"percentile", "mse"})  # the methods that need histograms

_BINS = 2048
_STEPS = 255  # between the 256 values of an int8
_PERCENTILE = 99.999
_ANSWER_MARGIN = 1.25

Range = tuple[float, float]
Advance = Callable[[int], None]


@dataclass(frozen=True)
class Statistics:
    """What calibration images do to one feature map.

    Attributes:
        low: Smallest value.
        high: Largest value.
        channel_high: Largest absolute value of each channel.
        counts: Histogram of the values over ``low..high``; empty where it was not asked for.
    """

    low: float
    high: float
    channel_high: NDArray[np.float64]
    counts: NDArray[np.int64]


def observe(
    folded: Folded,
    pixels: NDArray[np.uint8],
    *,
    histograms: bool = False,
    batch: int = 8,
    advance: Advance = lambda _: None,
) -> dict[str, Statistics]:
    """Run calibration images through the float network.

    Args:
        folded: The float network.
        pixels: ``uint8`` of shape ``(n, height, width, 1)``.
        histograms: Whether to run them a second time and count the values; without, ``counts`` is empty.
        batch: Images at a time.
        advance: Called with the number of images done, in each run.

    Returns:
        Statistics of each convolution's output, by its name, of ``scores`` and of ``features``.
    """
    low: dict[str, float] = defaultdict(lambda: np.inf)
    high: dict[str, float] = defaultdict(lambda: -np.inf)
    channels: dict[str, NDArray[np.float64]] = {}
    extremes = tf.function(
        lambda x: {name: _extremes(value) for name, value in feature_maps(folded, x).items()}, reduce_retracing=True
    )
    for part in _batches(pixels, batch):
        for name, (lowest, highest, by_channel) in extremes(part).items():
            low[name] = min(low[name], float(lowest))
            high[name] = max(high[name], float(highest))
            seen = by_channel.numpy().astype(np.float64)
            channels[name] = np.maximum(channels.get(name, seen), seen)
        advance(len(part))
    spans = {name: (low[name], max(high[name], low[name] + 1e-6)) for name in channels}
    counts = _count(folded, pixels, spans, batch, advance) if histograms else {}
    none = np.zeros(0, np.int64)
    return {name: Statistics(*spans[name], channels[name], counts.get(name, none)) for name in channels}


def feature_maps(folded: Folded, x: Any) -> dict[str, Any]:
    """Each convolution's output, after its ReLU, the scores, and the pooled input of the head."""
    outputs = {}
    for layer in folded.layers:
        last, x = x, apply(layer, x)
        if isinstance(layer, Conv):
            outputs[layer.name] = x
    return {**outputs, SCORES: pooled(x), FEATURES: pooled(last)}


def choose(folded: Folded, statistics: dict[str, Statistics], method: str) -> dict[str, Range]:
    """A range for the input and every output, each with zero in it.

    ``minmax`` covers every value seen. ``percentile`` leaves out the largest 0.001% of the values behind a ReLU.
    ``mse`` takes the upper end with the least squared error over rounding and clipping. The map, the scores and the
    pooled features are answers: they get every value seen and a quarter more on either side, so that an image beyond
    all calibration images still has its place.
    """
    head = folded.convolutions[-1].name
    ranges: dict[str, Range] = {INPUT: (0.0, 255.0)}
    for name, seen in statistics.items():
        if name in (head, SCORES, FEATURES):
            low, high = _ANSWER_MARGIN * seen.low, _ANSWER_MARGIN * seen.high
        else:
            low, high = seen.low, _UPPER_ENDS[method](seen)
        ranges[name] = (min(low, 0.0), max(high, 1e-6))
    return ranges


def _count(
    folded: Folded, pixels: NDArray[np.uint8], spans: dict[str, Range], batch: int, advance: Advance
) -> dict[str, NDArray[np.int64]]:
    def histogram(x: Any) -> dict[str, Any]:
        values = feature_maps(folded, x)
        return {name: tf.histogram_fixed_width(values[name], spans[name], _BINS, tf.int64) for name in spans}

    run = tf.function(histogram, reduce_retracing=True)
    counts = {name: np.zeros(_BINS, np.int64) for name in spans}
    for part in _batches(pixels, batch):
        for name, found in run(part).items():
            counts[name] += found.numpy()
        advance(len(part))
    return counts


def _extremes(x: Any) -> tuple[Any, Any, Any]:
    axes = tuple(range(len(x.shape) - 1))
    return tf.reduce_min(x), tf.reduce_max(x), tf.reduce_max(tf.abs(x), axis=axes)


def _batches(pixels: NDArray[np.uint8], batch: int) -> list[Any]:
    return [tf.cast(pixels[i : i + batch], tf.float32) for i in range(0, len(pixels), batch)]


def _percentile(seen: Statistics) -> float:
    share = np.cumsum(seen.counts) / seen.counts.sum()
    index = int(np.searchsorted(share, _PERCENTILE / 100))
    return seen.low + (seen.high - seen.low) * (index + 1) / _BINS


def _least_error(seen: Statistics) -> float:
    centres = seen.low + (seen.high - seen.low) * (np.arange(_BINS) + 0.5) / _BINS
    candidates = seen.high * np.linspace(0.3, 1.0, 141)
    errors = []
    for high in candidates:
        step = (high - min(seen.low, 0.0)) / _STEPS
        # A value within the range is off by a rounding error of variance step²/12, one beyond it by the distance.
        beyond = np.maximum(centres - high, 0.0)
        errors.append(float((seen.counts * np.where(beyond > 0, beyond**2, step**2 / 12)).sum()))
    return float(candidates[int(np.argmin(errors))])


_UPPER_ENDS: Final[dict[str, Callable[[Statistics], float]]] = {
    "minmax": lambda seen: seen.high,
    "percentile": _percentile,
    "mse": _least_error,
}
