"""Cross-layer equalization: the same function with feature maps and kernels that round better.

Between two convolutions with a ReLU, a channel may be divided by any positive number if the next kernel's column is
multiplied by it; a maximum pooling between them does not mind (Nagel et al. 2019, arXiv:1906.04721). There the ranges
of two kernels are balanced, both rounded per tensor. Here kernels are rounded per output channel, so the first one does
not care, and what remains is the feature map, rounded per tensor, against the next kernel's columns: the factors
balance those two, as Xiao et al. 2023 (arXiv:2211.10438) do for transformers.
"""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from convert.fold import Folded

_LARGEST_FACTOR = 64.0  # a channel that is hardly ever alive would ask for any


def equalize(folded: Folded, channel_high: dict[str, NDArray[np.float64]], *, strength: float = 0.5) -> Folded:
    """Balance feature maps against the kernels behind them.

    Args:
        folded: The float network.
        channel_high: The largest value seen in each channel of each convolution's output, by its name.
        strength: 0 leaves the feature maps as they are, 1 brings all their channels to one range.

    Returns:
        A network that answers as the first does, up to float rounding.
    """
    convolutions = list(folded.convolutions)
    for first in range(len(convolutions) - 1):
        before, after = convolutions[first], convolutions[first + 1]
        if not before.relu:
            continue
        activation = np.maximum(channel_high[before.name], 1e-12)
        column = np.maximum(np.abs(after.kernel.astype(np.float64)).max(axis=(0, 1, 3)), 1e-12)
        factor = activation**strength / column ** (1 - strength)
        factor /= np.exp(np.mean(np.log(factor)))
        factor = np.clip(factor, 1 / _LARGEST_FACTOR, _LARGEST_FACTOR)
        # Earlier factors have changed this kernel, not its output, so the statistics of the outputs still hold.
        convolutions[first] = replace(
            before,
            kernel=(before.kernel / factor).astype(np.float32),
            bias=(before.bias / factor).astype(np.float32),
        )
        convolutions[first + 1] = replace(after, kernel=(after.kernel * factor[:, None]).astype(np.float32))
    return folded.with_convolutions(tuple(convolutions))
