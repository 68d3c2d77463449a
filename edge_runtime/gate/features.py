"""How far the network's pooled last feature maps are from those of the radiographs it learned from.

The Mahalanobis distance to the nearest of the classes under a covariance shared by all (Lee et al. 2018,
arXiv:1807.03888), shrunk towards the identity (Ledoit and Wolf 2004, doi 10.1016/S0047-259X(03)00096-4).
"""

import msgspec
import numpy as np
from numpy.typing import NDArray

from edge_runtime.gate.statistics import FARTHEST


class FeatureStatistics(msgspec.Struct, frozen=True, eq=False):
    """What the converter fitted to pooled features of ``c`` channels; ``p`` components, ``m`` classes.

    Attributes:
        mean: ``(c,)``.
        spread: ``(c,)``: standard deviation of each channel, and at least a step of its integers.
        whitening: ``(c, p)``: standardised features times it have unit covariance within a class.
        classes: ``(m, p)``: the classes' means after whitening.
        residual: Mean square of what lies outside the ``p`` components, over radiographs.
        components: ``(c, p)``: orthonormal; what the residual lies outside of.
        farthest: The distance that is refused.
    """

    mean: NDArray[np.float32]
    spread: NDArray[np.float32]
    whitening: NDArray[np.float32]
    classes: NDArray[np.float32]
    components: NDArray[np.float32]
    residual: float
    farthest: float


def distances(pooled: NDArray[np.floating], statistics: FeatureStatistics) -> NDArray[np.float64]:
    """Of pooled features ``(n, c)``, in real numbers: ``(n,)``, not yet scaled to the limit."""
    standard = compressed((np.asarray(pooled, np.float32) - statistics.mean) / statistics.spread)
    white = standard @ statistics.whitening
    within = ((white[:, np.newaxis, :] - statistics.classes) ** 2).mean(axis=2).min(axis=1)
    inside = standard @ statistics.components
    outside = ((standard**2).sum(axis=1) - (inside**2).sum(axis=1)) / max(standard.shape[1] - inside.shape[1], 1)
    return np.asarray(np.sqrt(within.astype(np.float64) + np.maximum(outside, 0.0) / statistics.residual))


def compressed(standard: NDArray[np.float32]) -> NDArray[np.float32]:
    """Standardised features, large ones drawn in: maps behind a ReLU have tails that no covariance describes."""
    return np.asarray(np.sign(standard) * np.log1p(np.abs(standard)), np.float32)


def scaled(distance: NDArray[np.float64], statistics: FeatureStatistics) -> NDArray[np.float64]:
    """The same with 1.0 at the limit."""
    return np.minimum(distance / statistics.farthest, FARTHEST)
