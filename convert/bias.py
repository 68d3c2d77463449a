"""Empirical bias correction: the mean error that rounding leaves in each channel is taken from its bias.

Nagel et al. 2019 (arXiv:1906.04721), section 4.2 and appendix D: layer by layer, each channel's mean over calibration
images in the rounded network is brought to its mean in the float network.
"""

from dataclasses import replace
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from convert.fold import Conv, Folded
from convert.graph import apply
from convert.ranges import INPUT, Advance, Range
from convert.rounding import round_nearest


def round_features(x: Any, limits: Range) -> Any:
    """Feature maps after rounding to 256 steps over their range."""
    return tf.quantization.fake_quant_with_min_max_args(x, *limits)


def correct(
    folded: Folded,
    ranges: dict[str, Range],
    pixels: NDArray[np.uint8],
    *,
    batch: int = 8,
    advance: Advance = lambda _: None,
) -> Folded:
    """Correct the biases, first layer first.

    Args:
        folded: The float network that will be rounded.
        ranges: Of its feature maps.
        pixels: A few dozen calibration images, ``uint8`` of shape ``(n, height, width, 1)``.
        batch: Images at a time.
        advance: Called with 1 for each convolution done.

    Returns:
        The network with other biases: no longer the float function, but what is to be rounded.
    """
    count = len(pixels)
    exact = [tf.cast(pixels[i : i + batch], tf.float32) for i in range(0, count, batch)]
    rounded = [round_features(x, ranges[INPUT]) for x in exact]
    corrected: list[Conv] = []
    for layer in folded.layers:
        if isinstance(layer, Conv):
            trial = replace(layer, kernel=round_nearest(layer.kernel), relu=False)
            # The error is taken before the ReLU, where a shift of the bias undoes it.
            error = _channel_mean(exact, replace(layer, relu=False)) - _channel_mean(rounded, trial)
            shifted = replace(layer, bias=(layer.bias + error).astype(np.float32))
            corrected.append(shifted)
            trial = replace(trial, bias=shifted.bias, relu=layer.relu)
            exact = [apply(layer, x) for x in exact]
            rounded = [round_features(apply(trial, x), ranges[layer.name]) for x in rounded]
            advance(1)
        else:
            exact, rounded = [apply(layer, x) for x in exact], [apply(layer, x) for x in rounded]
    return folded.with_convolutions(tuple(corrected))


def _channel_mean(parts: list[Any], layer: Conv) -> NDArray[np.float64]:
    sums = [
        tf.reduce_sum(tf.reduce_mean(apply(layer, x), axis=(1, 2)), axis=0).numpy().astype(np.float64) for x in parts
    ]
    return np.asarray(sum(sums) / sum(len(x) for x in parts))
