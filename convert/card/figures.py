"""What a set of cases says about a model, as ``docs/model-card.json`` holds it."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
import numpy as np

from convert import statistics
from convert.card.cases import Case
from convert.statistics import Area, Share, share
from edge_runtime.model.bundle import BundleInfo

REFUSED = "refused"


class Point(msgspec.Struct, frozen=True):
    """Both shares at one operating point."""

    threshold: float
    sensitivity: Share
    specificity: Share


class Types(msgspec.Struct, frozen=True):
    """Bacterial against viral among the answered pneumonias of known type, whichever label they got."""

    right: Share
    auc: Area | None


class Band(msgspec.Struct, frozen=True):
    """The probabilities at which a finding is uncertain, and how often answers are wrong inside and outside."""

    low: float
    high: float
    inside: Share
    wrong_inside: Share
    wrong_outside: Share


class Evidence(msgspec.Struct, frozen=True):
    """How closely the mean of the evidence map is the log odds, and what rounding to integers alone can take."""

    largest_difference: float
    rounding: float


class Figures(msgspec.Struct, frozen=True):
    """A set of radiographs, judged.

    A refused radiograph counts as not right, and neither as found nor as cleared; areas and calibration are those of
    the answered ones.

    Attributes:
        files_sha256: Over names and contents of the files, in order.
        images: How many of each truth.
        refused: How many of each truth the device refused.
        reasons: How often each reason was given.
        corrected: Radiographs that were corrected before the answer.
        accuracy: At the default operating point, as are the next two and the confusion.
        confusion: Truth to answer to count.
    """

    files_sha256: str
    images: dict[str, int]
    refused: dict[str, int]
    reasons: dict[str, int]
    corrected: int
    accuracy: Share
    sensitivity: Share
    specificity: Share
    auc: Area | None
    brier: float
    calibration_error: float
    points: dict[str, Point]
    confusion: dict[str, dict[str, int]]
    types: Types | None
    uncertain: Band | None
    evidence: Evidence


def judge(cases: Sequence[Case], info: BundleInfo, rounding: float) -> Figures | None:
    """Judge some cases.

    Args:
        cases: In the order of their files.
        info: The bundle's, for its operating points and its band.
        rounding: How far rounding alone can take the map's mean from the log odds.

    Returns:
        ``None`` where not one was answered.
    """
    answered = [case for case in cases if case.reason is None]
    if not answered:
        return None
    truth = np.array([case.image.pneumonia for case in answered])
    probability = np.array([case.probability for case in answered])
    ill, well = _count(case.image.pneumonia for case in cases), _count(not case.image.pneumonia for case in cases)
    found = _count(case.called and case.image.pneumonia for case in answered)
    cleared = _count(not case.called and not case.image.pneumonia for case in answered)
    return Figures(
        files_sha256=_hash(cases),
        images=_counts(case.image.label for case in cases),
        refused=_counts(case.image.label for case in cases if case.reason is not None),
        reasons=_counts(case.reason for case in cases if case.reason is not None),
        corrected=_count(bool(case.notes) for case in answered),
        accuracy=share(found + cleared, len(cases)),
        sensitivity=share(found, ill),
        specificity=share(cleared, well),
        auc=statistics.area(probability, truth),
        brier=statistics.brier(probability, truth),
        calibration_error=statistics.expected_calibration_error(probability, truth),
        points={
            name: Point(
                point.threshold,
                share(int(((probability >= point.threshold) & truth).sum()), ill),
                share(int(((probability < point.threshold) & ~truth).sum()), well),
            )
            for name, point in sorted(info.operating_points.items(), key=lambda pair: pair[1].threshold)
        },
        confusion=_confusion(cases),
        types=_types(answered),
        uncertain=_band(answered, info),
        evidence=Evidence(_largest_difference(answered), rounding),
    )


def rounded(value: Any, decimals: int = 6) -> Any:
    """The same tree of dictionaries and lists with every float rounded: the one place where figures are."""
    if isinstance(value, float):
        return round(value, decimals)
    if isinstance(value, dict):
        return {key: rounded(item, decimals) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(item, decimals) for item in value]
    return value


def _confusion(cases: Iterable[Case]) -> dict[str, dict[str, int]]:
    table: dict[str, Counter[str]] = {}
    for case in cases:
        table.setdefault(case.image.label, Counter())[_said(case)] += 1
    return {truth: dict(sorted(row.items())) for truth, row in sorted(table.items())}


def _said(case: Case) -> str:
    if case.reason is not None:
        return REFUSED
    if not case.called:
        return "normal"
    return "bacterial" if _bacterial(case) else "viral"


def _bacterial(case: Case) -> bool:
    return case.bacterial >= case.probability - case.bacterial


def _types(answered: Iterable[Case]) -> Types | None:
    known = [case for case in answered if case.image.label in ("bacterial", "viral")]
    if not known:
        return None
    truth = np.array([case.image.label == "bacterial" for case in known])
    score = np.array([case.bacterial / case.probability for case in known])
    right = _count(_bacterial(case) == (case.image.label == "bacterial") for case in known)
    return Types(share(right, len(known)), statistics.area(score, truth))


def _band(answered: Sequence[Case], info: BundleInfo) -> Band | None:
    band = info.uncertain
    if band is None:
        return None
    inside = [case for case in answered if band.low <= case.probability <= band.high]
    wrong, wrong_inside = _count(case.wrong for case in answered), _count(case.wrong for case in inside)
    return Band(
        band.low,
        band.high,
        share(len(inside), len(answered)),
        share(wrong_inside, len(inside)),
        share(wrong - wrong_inside, len(answered) - len(inside)),
    )


def _largest_difference(answered: Iterable[Case]) -> float:
    """Between the mean of the evidence map and the log odds."""
    return max(abs(float(case.map.mean(dtype=np.float64)) - case.log_odds) for case in answered if case.map is not None)


def _hash(cases: Iterable[Case]) -> str:
    lines = "".join(f"{case.image.sha256}  {case.image.name}\n" for case in cases)
    return hashlib.sha256(lines.encode()).hexdigest()


def _count(values: Iterable[bool]) -> int:
    return sum(map(bool, values))


def _counts(words: Iterable[str]) -> dict[str, int]:
    return dict(sorted(Counter(words).items()))
