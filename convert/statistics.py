"""Counts, areas and calibration, each with its interval. Plain formulas without a draw: twice the same to the bit."""

import math
from statistics import NormalDist

import msgspec
import numpy as np
from numpy.typing import NDArray

_Z = NormalDist().inv_cdf(0.975)
BINS = 15


class Share(msgspec.Struct, frozen=True):
    """A count out of a count, with Wilson's 95% interval (Wilson 1927)."""

    count: int
    of: int
    value: float
    low: float
    high: float


class Mean(msgspec.Struct, frozen=True):
    """A mean over images with its 95% interval, the normal one (mean plus and minus 1.96 standard errors)."""

    value: float
    low: float
    high: float


class Area(msgspec.Struct, frozen=True):
    """Area under the ROC curve with its 95% interval, which is ``None`` where all pairs are in order, or none."""

    value: float
    low: float | None
    high: float | None


def share(count: int, of: int) -> Share:
    """A share with its interval; of nothing, the whole range."""
    if of == 0:
        return Share(0, 0, 0.0, 0.0, 1.0)
    p, z2 = count / of, _Z**2
    middle = (p + z2 / (2 * of)) / (1 + z2 / of)
    half = _Z * math.sqrt(p * (1 - p) / of + z2 / (4 * of**2)) / (1 + z2 / of)
    return Share(count, of, p, max(0.0, middle - half), min(1.0, middle + half))


def mean(values: NDArray[np.float64]) -> Mean:
    """Mean of a row of values, one at least."""
    centre = float(values.mean())
    half = _Z * float(values.std(ddof=1)) / math.sqrt(len(values)) if len(values) > 1 else math.inf
    return Mean(centre, centre - half, centre + half)


def area(score: NDArray[np.float64], positive: NDArray[np.bool_]) -> Area | None:
    """Area under the ROC curve, its interval by DeLong's variance (DeLong et al. 1988) on the logit scale.

    On the plain scale the interval of an area near 1 would reach past it (Qin and Hotilovac 2008).

    Args:
        score: Of shape ``(n,)``.
        positive: The truth, of shape ``(n,)``.

    Returns:
        ``None`` with one class alone.
    """
    ill, well = score[positive], score[~positive]
    if not len(ill) or not len(well):
        return None
    of_ill, of_well = _placement(ill, well), 1.0 - _placement(well, ill)
    value = float(of_ill.mean())
    if not 0.0 < value < 1.0 or min(len(ill), len(well)) < 2:
        return Area(value, None, None)
    error = math.sqrt(float(of_ill.var(ddof=1)) / len(ill) + float(of_well.var(ddof=1)) / len(well))
    logit, half = math.log(value / (1 - value)), _Z * error / (value * (1 - value))
    return Area(value, *(1 / (1 + math.exp(-end)) for end in (logit - half, logit + half)))


def brier(probability: NDArray[np.float64], positive: NDArray[np.bool_]) -> float:
    """Mean squared distance of the probability from the truth (Brier 1950)."""
    return float(np.mean((probability - positive) ** 2))


def expected_calibration_error(probability: NDArray[np.float64], positive: NDArray[np.bool_]) -> float:
    """Mean distance between stated probability and observed share over 15 equal bins (Naeini et al. 2015)."""
    index = np.minimum((probability * BINS).astype(int), BINS - 1)
    gaps = [abs(float((probability[index == b] - positive[index == b]).sum())) for b in range(BINS)]
    return float(sum(gaps)) / len(probability)


def _placement(of: NDArray[np.float64], among: NDArray[np.float64]) -> NDArray[np.float64]:
    """For each value the share of others that lie below it, ties counting half."""
    ordered = np.sort(among)
    below, up_to = np.searchsorted(ordered, of, "left"), np.searchsorted(ordered, of, "right")
    return np.asarray((below + up_to) / 2 / len(ordered))
