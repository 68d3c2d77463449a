"""Operating points and the uncertain band: chosen on validation images under shift, and what they then give.

The rule: ``screening`` is the highest threshold at which, plain and under every change of ``shift.CHANGES``, at least
0.98 of the pneumonias are found; ``confirm`` the lowest at which at least 0.98 of the normals are left alone. The
worst change decides, because a threshold fitted to all changes together misses its aim under half of those that it was
not fitted to; ``docs/training.md`` has the figures. ``balanced`` is fitted to nothing. The farther of the two from 0.5
is mirrored to the other side: a validation set may hold no hard image of one class, and elsewhere there are some.

The uncertain band reaches from ``screening`` to ``confirm``: outside it every operating point gives the same label.
"""

import math
from collections.abc import Mapping
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from train.evaluate import DEFAULT_THRESHOLD, Share, share

BALANCED: Final = "balanced"
LEAST_SENSITIVITY: Final = 0.98
LEAST_SPECIFICITY: Final = 0.98
_DIGITS = 3

# Probabilities of pneumonia and the truth, both of shape (n,).
Answers = tuple[NDArray[np.float64], NDArray[np.bool_]]


class Band(msgspec.Struct, frozen=True):
    """Probabilities from ``low`` to ``high``, both included."""

    low: float
    high: float


class OperatingPoints(msgspec.Struct, frozen=True):
    """Thresholds by name, the default's name, and where an answer is uncertain."""

    thresholds: dict[str, float]
    default: str
    uncertain: Band


class Worst(msgspec.Struct, frozen=True):
    """A share under the change that is hardest on it."""

    change: str
    share: Share


class PointFigures(msgspec.Struct, frozen=True):
    """What a threshold gives on plain images, and under the changes that are hardest on it."""

    sensitivity: Share
    specificity: Share
    worst_sensitivity: Worst | None = None
    worst_specificity: Worst | None = None


class BandFigures(msgspec.Struct, frozen=True):
    """How many images lie in the uncertain band, and how many there and elsewhere are labelled wrongly by default."""

    inside: Share
    wrong_inside: Share
    wrong_outside: Share


class ShiftedBandFigures(msgspec.Struct, frozen=True):
    """The same as means over the changes; without intervals, because every change shows the same patients."""

    inside: float
    wrong_inside: float
    wrong_outside: float
    worst_outside: Worst


def choose(answers: Mapping[str, Answers]) -> OperatingPoints:
    """Choose the points and the band by the rule above.

    Thresholds have three significant digits, counted from the nearer of 0 and 1, and keep their aim when rounded.
    ``screening <= balanced <= confirm``.

    Args:
        answers: Calibrated probabilities for the plain validation images and for each change of them, by name. A set
            of one class counts for that class.
    """
    screening = min(
        (_highest_threshold(probability[pneumonia]) for probability, pneumonia in answers.values() if pneumonia.any()),
        default=DEFAULT_THRESHOLD,
    )
    confirm = max(
        (
            _lowest_threshold(probability[~pneumonia])
            for probability, pneumonia in answers.values()
            if not pneumonia.all()
        ),
        default=DEFAULT_THRESHOLD,
    )
    low = min(_rounded_down(min(screening, 1 - confirm)), DEFAULT_THRESHOLD)
    high = round(1 - low, 15)
    return OperatingPoints({BALANCED: DEFAULT_THRESHOLD, "screening": low, "confirm": high}, BALANCED, Band(low, high))


def point_figures(threshold: float, plain: Answers, shifted: Mapping[str, Answers] | None = None) -> PointFigures:
    """Judge a threshold on one set, and where there are changes of it on those."""
    sensitivity, specificity = _rates(threshold, plain)
    if not shifted:
        return PointFigures(sensitivity, specificity)
    rates = {change: _rates(threshold, answers) for change, answers in shifted.items()}

    def worst(place: int) -> Worst:
        change = min(rates, key=lambda name: rates[name][place].value)
        return Worst(change, rates[change][place])

    return PointFigures(sensitivity, specificity, worst(0), worst(1))


def band_figures(points: OperatingPoints, answers: Answers) -> BandFigures:
    """Judge the band on one set, the label being that of the default point."""
    probability, pneumonia = answers
    inside = (points.uncertain.low <= probability) & (probability <= points.uncertain.high)
    wrong = (probability >= points.thresholds[points.default]) != pneumonia
    return BandFigures(
        share(int(inside.sum()), len(inside)),
        share(int((wrong & inside).sum()), int(inside.sum())),
        share(int((wrong & ~inside).sum()), int((~inside).sum())),
    )


def shifted_band_figures(points: OperatingPoints, shifted: Mapping[str, Answers]) -> ShiftedBandFigures:
    """Judge the band under every change."""
    found = {change: band_figures(points, answers) for change, answers in shifted.items()}
    worst = max(found, key=lambda change: found[change].wrong_outside.value)
    return ShiftedBandFigures(
        _pooled([figures.inside for figures in found.values()]),
        _pooled([figures.wrong_inside for figures in found.values()]),
        _pooled([figures.wrong_outside for figures in found.values()]),
        Worst(worst, found[worst].wrong_outside),
    )


def _rates(threshold: float, answers: Answers) -> tuple[Share, Share]:
    probability, pneumonia = answers
    called = probability >= threshold
    return (
        share(int((called & pneumonia).sum()), int(pneumonia.sum())),
        share(int((~called & ~pneumonia).sum()), int((~pneumonia).sum())),
    )


def _pooled(shares: list[Share]) -> float:
    return sum(part.count for part in shares) / max(1, sum(part.of for part in shares))


def _highest_threshold(positive: NDArray[np.float64]) -> float:
    """At which enough of these are called pneumonia."""
    return float(np.sort(positive)[_spare(len(positive), LEAST_SENSITIVITY)])


def _lowest_threshold(negative: NDArray[np.float64]) -> float:
    """At which few enough of these are called pneumonia; 1 where none is."""
    highest = np.sort(negative)[::-1][_spare(len(negative), LEAST_SPECIFICITY)]
    return min(float(np.nextafter(highest, np.inf)), 1.0)


def _spare(count: int, least: float) -> int:
    """How many of so many may be wrong; a hair more, because 1 - 0.98 is less than 0.02."""
    return math.floor((1 - least) * count + 1e-9)


def _rounded_down(value: float) -> float:
    if value <= 0:
        return 0.0
    scale = 10.0 ** (_DIGITS - 1 - math.floor(math.log10(value)))
    return math.floor(value * scale) / scale
