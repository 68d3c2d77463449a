"""Drift: do the radiographs that arrive still look like those the model was validated on? Pure arithmetic on counts.

Measured by the population stability index between a running histogram and the bundle's: ``sum((a - e) ln(a / e))`` over
shares ``a`` and ``e`` (Jeffreys 1946; under this name in Siddiqi, Credit Risk Scorecards, 2006, with the usual reading:
below 0.1 stable, to 0.25 a moderate change, above it a shift). Three things make it usable here:

* Few radiographs. Without any drift the index is ``1/n + 1/m`` times a chi-square variable of ``bins - 1`` degrees of
  freedom (Yurdakul and Naranjo, J. Risk Model Validation 14(4), 2020), for n radiographs against m. A change counts
  only above the 99.9% point of that: four indices a look and a look a day give at most three false alarms in two years.
* Empty bins. Neighbouring bins are pooled until each holds a tenth of what is expected, and half a count is added to
  every pooled bin (Krichevsky and Trofimov 1981). From 50 radiographs on each then expects 5 (Cochran 1954).
* Another mix of patients. A clinic's share of pneumonia is not the data set's, which alone would move every histogram.
  Where the reference tells normal from pneumonia, it is first reweighted to the mix that explains the probabilities
  best (maximum likelihood, as Saerens 2002 for label shift), and what remains no mix explains. The price: a model whose
  answers drift exactly as another mix would move them is not found out.
"""

import math
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Final, Literal

from edge_runtime.model.bundle import Histogram, Reference

# The journal counts between these for ever: another row of edges needs another version of the journal.
# Steps of one in the log odds, because probabilities crowd at both ends.
PROBABILITY_EDGES: Final = (0.0, *(round(1.0 / (1.0 + math.exp(-step)), 6) for step in range(-8, 9)), 1.0)
# The gate refuses from 1 on; how far beyond is of little interest.
DISTANCE_EDGES: Final = (*(round(step / 40, 3) for step in range(41)), 1.25, 1.5, 2.0, 4.0)

FEWEST: Final = 50
MODERATE, SHIFTED = 0.1, 0.25
_CONFIDENCE = 0.999
_LEAST_SHARE = 0.1
_HALF = 0.5

Verdict = Literal["too few", "like", "moderate", "shifted"]


@dataclass(frozen=True, slots=True)
class Comparison:
    """A running histogram against the reference.

    Attributes:
        count: Radiographs in the running histogram.
        verdict: ``too few`` to say, ``like`` the reference, a ``moderate`` change, or ``shifted``.
        index: The population stability index; ``None`` where there are too few.
        limit: What it stays below, in 99.9% of cases, without drift; ``None`` where there are too few.
        mix: The share of pneumonia that explains the counts best; ``None`` where the reference does not tell.
    """

    count: int
    verdict: Verdict
    index: float | None = None
    limit: float | None = None
    mix: float | None = None


@dataclass(frozen=True, slots=True)
class Drift:
    """Both comparisons.

    Attributes:
        distance: Of the gate's distances: do the pictures look different?
        probability: Of the answers: are they spread as no mix of normal and pneumonia explains?
    """

    distance: Comparison
    probability: Comparison


def bin_of(edges: Sequence[float], value: float) -> int:
    """Index of the bin ``[edges[i], edges[i + 1])`` that a value lies in; outside of all, the outermost."""
    return min(max(bisect_right(edges, value) - 1, 0), len(edges) - 2)


def histogram(edges: Sequence[float], values: Iterable[float], positive: Iterable[bool] | None = None) -> Histogram:
    """Count values.

    Args:
        edges: Ascending.
        values: Finite.
        positive: Which of them are of pneumonia radiographs, where that is known.

    Raises:
        ValueError: A value is not finite, or there are not as many ``positive`` as values.
    """
    counts, positives = [0] * (len(edges) - 1), [0] * (len(edges) - 1)
    values = list(values)
    for value, is_positive in zip(values, [False] * len(values) if positive is None else positive, strict=True):
        if not math.isfinite(value):
            raise ValueError(f"{value} cannot be counted")
        place = bin_of(edges, value)
        counts[place] += 1
        positives[place] += bool(is_positive)
    return Histogram(tuple(edges), tuple(counts), () if positive is None else tuple(positives))


def stability_index(counts: Sequence[float], expected: Sequence[float]) -> float:
    """The population stability index of two histograms over the same bins, with half a count added to every bin.

    Zero for equal counts, the same when they change places, never negative.

    Raises:
        ValueError: They have not as many bins.
    """
    a, e = _shares(counts), _shares(expected)
    return sum((p - q) * math.log(p / q) for p, q in zip(a, e, strict=True))


def limit(bins: int, n: float, m: float) -> float:
    """What the index of n against m radiographs stays below, in 99.9% of cases, when both are of the same kind."""
    return chi_square_quantile(bins - 1, _CONFIDENCE) * (1.0 / n + 1.0 / m)


def chi_square_quantile(degrees: int, probability: float) -> float:
    """By Wilson and Hilferty (1931): at 99.9% too high by 3% at 1 degree of freedom, by 0.7% at 9."""
    spread = 2.0 / (9.0 * degrees)
    return float(degrees * (1.0 - spread + NormalDist().inv_cdf(probability) * math.sqrt(spread)) ** 3)


def judge(distance: Histogram, probability: Histogram, reference: Reference) -> Drift:
    """Compare both running histograms with the bundle's; what ``compare`` says of each.

    The mix of patients is read off the probabilities, which tell the classes apart, and the distances are compared
    within it. Their own best mix could pass another detector off as other patients.

    Raises:
        ValueError: The edges differ, or the reference is empty.
    """
    answers = compare(probability, reference.probability)
    return Drift(compare(distance, reference.distance, mix=answers.mix), answers)


def compare(observed: Histogram, reference: Histogram, *, mix: float | None = None) -> Comparison:
    """Compare a running histogram with the reference.

    Args:
        observed: Counts; which are of pneumonia nobody knows.
        reference: Over the same edges; best where it tells normal from pneumonia.
        mix: The share of pneumonia, in place of the one that explains ``observed`` best.

    Raises:
        ValueError: The edges differ, or the reference is empty.
    """
    if observed.edges != reference.edges:
        raise ValueError("histograms over different edges cannot be compared")
    n, m = sum(observed.counts), sum(reference.counts)
    if m == 0:
        raise ValueError("there is nothing in the reference")
    if n < FEWEST:
        return Comparison(n, "too few")
    shares, size = [count / m for count in reference.counts], float(m)
    if 0 < sum(reference.positive) < m:
        mix = best_mix(observed, reference) if mix is None else mix
        shares, size = _reweighted(reference, mix)
    groups = pools(shares)
    if len(groups) == 1:  # everything is expected in one place: nothing to compare with
        return Comparison(n, "like", 0.0, 0.0, mix)
    index = stability_index(
        [sum(observed.counts[start:end]) for start, end in groups],
        [sum(shares[start:end]) * size for start, end in groups],
    )
    highest = limit(len(groups), n, size)
    verdict: Verdict = "like"
    if index > max(MODERATE, highest):
        verdict = "shifted" if index > SHIFTED else "moderate"
    return Comparison(n, verdict, index, highest, mix)


def pools(shares: Sequence[float]) -> list[tuple[int, int]]:
    """Neighbouring bins, from the highest down, joined until each group holds a tenth: ``(start, end)``, ascending."""
    groups: list[tuple[int, int]] = []
    end, held = len(shares), 0.0
    for start in range(len(shares) - 1, -1, -1):
        held += shares[start]
        # A hair less than a tenth is a tenth: the shares were divided and added.
        if held >= _LEAST_SHARE - 1e-9 and sum(shares[:start]) >= _LEAST_SHARE - 1e-9:
            groups.append((start, end))
            end, held = start, 0.0
    groups.append((0, end))
    return groups[::-1]


def best_mix(observed: Histogram, reference: Histogram) -> float:
    """The share of pneumonia, 0 to 1, at which the reference explains the counts best (maximum likelihood)."""
    well, ill = _guarded(_normal(reference)), _guarded(reference.positive)
    bins = [(count, q, p) for count, q, p in zip(observed.counts, well, ill, strict=True) if count]
    # The log-likelihood is concave in the mix; bisect its slope.
    low, high = 0.0, 1.0
    for _ in range(40):
        mix = (low + high) / 2.0
        slope = sum(count * (p - q) / (mix * p + (1.0 - mix) * q) for count, q, p in bins)
        low, high = (mix, high) if slope > 0.0 else (low, mix)
    return (low + high) / 2.0


def _reweighted(reference: Histogram, mix: float) -> tuple[list[float], float]:
    """The expected shares at this share of pneumonia, and how many images they rest on."""
    ill, well = reference.positive, _normal(reference)
    n_ill, n_well = sum(ill), sum(well)
    shares = [mix * p / n_ill + (1.0 - mix) * q / n_well for p, q in zip(ill, well, strict=True)]
    return shares, 1.0 / (mix**2 / n_ill + (1.0 - mix) ** 2 / n_well)


def _normal(reference: Histogram) -> list[int]:
    return [count - positive for count, positive in zip(reference.counts, reference.positive, strict=True)]


def _guarded(counts: Sequence[int]) -> list[float]:
    # One count divided among all bins (Perks 1947), so that no radiograph is impossible, and no bin is made up.
    total, share = sum(counts) + 1.0, 1.0 / len(counts)
    return [(count + share) / total for count in counts]


def _shares(counts: Sequence[float]) -> list[float]:
    total = sum(counts) + _HALF * len(counts)
    return [(count + _HALF) / total for count in counts]
