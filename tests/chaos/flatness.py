"""Does something grow with the number of images? A line through what was sampled, and how sure its slope is."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import stats

Verdict = Literal["flat", "grows", "not shown"]
_CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True)
class Growth:
    """By how much something grows over a run.

    Attributes:
        median: Of the samples.
        over_run: By the slope of Theil and Sen (the median of the slopes between all pairs of samples, which single
            bursts do not move; Sen 1968, doi 10.1080/01621459.1968.10480934).
        low: Lower end of its 95% confidence interval.
        high: Upper end.
        bound: What it may grow by.
    """

    median: float
    over_run: float
    low: float
    high: float
    bound: float

    @property
    def verdict(self) -> Verdict:
        """``flat``: surely within the bound; ``grows``: surely above; ``not shown``: neither is sure."""
        if self.high <= self.bound:
            return "flat"
        return "grows" if self.low > self.bound else "not shown"


def growth(images: Sequence[float], values: Sequence[float], bound: float, *, relative: bool = False) -> Growth:
    """Fit a line.

    Args:
        images: How many had been answered at each sample.
        values: What was sampled.
        bound: By how much it may grow over the run.
        relative: The bound is a share of the median.
    """
    x, y = np.asarray(images, np.float64), np.asarray(values, np.float64)
    slope, _, low, high = stats.theilslopes(y, x, _CONFIDENCE)
    run, median = float(x[-1] - x[0]), float(np.median(y))
    return Growth(median, slope * run, low * run, high * run, bound * median if relative else bound)
