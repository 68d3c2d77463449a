"""How kernels are rounded to int8: to the nearest step, and the first kernel with more care.

The first convolution reads raw pixels, whose mean over a patch is far larger than the differences it looks for. A few
weights rounded the same way no longer sum to what they did, and the patch's brightness leaks into every feature map
behind; measured on trained models, that alone is most of what int8 costs (docs/converting.md). A 3x3 kernel on one
channel has nine weights, so every way of rounding them up or down can be tried.
"""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from convert.fold import Conv, Float32, Folded

STEPS = 127
_MOST_WEIGHTS = 12  # 2^12 ways
_PATCHES_PER_IMAGE = 500


def round_nearest(kernel: Float32) -> Float32:
    """A kernel after rounding to int8, symmetric, one scale per output channel, back in real numbers."""
    scale = _scale(kernel.astype(np.float64))
    return (np.round(kernel / scale) * scale).astype(np.float32)


def round_first(folded: Folded, pixels: NDArray[np.uint8], *, seed: int = 0) -> Folded:
    """Put the first kernel on the int8 grid where its output over real patches changes least.

    For each filter the rounding error ``d`` is chosen with the least ``d' C d``, where ``C`` is the covariance of the
    input patches: the variance of the error in the output. Its mean is left to the bias correction.

    Args:
        folded: The float network.
        pixels: Calibration images, ``uint8`` of shape ``(n, height, width, 1)``.
        seed: Draws the patches.

    Returns:
        The network with its first kernel on the grid, which rounding to the nearest step then leaves as it is. A first
        kernel with more than 12 weights per filter is not touched.
    """
    first = folded.convolutions[0]
    if first.kernel[..., 0].size > _MOST_WEIGHTS:
        return folded
    covariance = np.cov(_patches(first, pixels, seed), rowvar=False)
    weights = first.kernel.reshape(-1, first.kernel.shape[-1]).T.astype(np.float64)
    scale = _scale(weights.T)[:, np.newaxis]
    exact = weights / scale
    count = weights.shape[1]
    ways = (np.arange(2**count)[:, np.newaxis] >> np.arange(count)) & 1
    rounded = np.floor(exact)[:, np.newaxis, :] + ways
    # The largest weight carries the scale and must stay at 127 of it; no other may pass it.
    np.put_along_axis(
        rounded,
        np.abs(exact).argmax(axis=1)[:, np.newaxis, np.newaxis],
        np.round(np.take_along_axis(exact, np.abs(exact).argmax(axis=1)[:, np.newaxis], axis=1))[:, np.newaxis, :],
        axis=2,
    )
    rounded = np.clip(rounded, -STEPS, STEPS)
    error = rounded - exact[:, np.newaxis, :]
    best = np.einsum("fwi,ij,fwj->fw", error, covariance, error, optimize=True).argmin(axis=1)
    chosen = rounded[np.arange(len(rounded)), best] * scale
    kernel = chosen.T.reshape(first.kernel.shape).astype(np.float32)
    return folded.with_convolutions((replace(first, kernel=kernel), *folded.convolutions[1:]))


def _scale(kernel: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of each output channel, the last axis."""
    return np.asarray(np.maximum(np.abs(kernel).max(axis=tuple(range(kernel.ndim - 1))), 1e-12) / STEPS)


def _patches(layer: Conv, pixels: NDArray[np.uint8], seed: int) -> NDArray[np.float64]:
    """Random input patches of a layer on one channel: shape ``(patches, weights)``."""
    rows, columns = layer.kernel.shape[:2]
    rng = np.random.default_rng(seed)
    found = []
    for image in pixels[..., 0]:
        # Patches that reach over the border are left out: there are few, and black like much of the border itself.
        windows = np.lib.stride_tricks.sliding_window_view(image, (rows, columns))
        y = rng.integers(0, windows.shape[0], _PATCHES_PER_IMAGE)
        x = rng.integers(0, windows.shape[1], _PATCHES_PER_IMAGE)
        found.append(windows[y, x].reshape(_PATCHES_PER_IMAGE, -1).astype(np.float64))
    return np.concatenate(found)
