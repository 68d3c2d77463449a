import math

import numpy as np
import pytest
from numpy.typing import NDArray

from convert import statistics
from train import evaluate


@pytest.fixture
def judged() -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Two hundred probabilities, with ties, that tell the classes apart but not all."""
    rng = np.random.default_rng(3)
    truth = rng.random(200) < 0.6
    return np.clip(rng.normal(np.where(truth, 0.7, 0.4), 0.2), 0, 1).round(2), truth


@pytest.mark.parametrize(("count", "of"), [(0, 7), (7, 7), (589, 624), (1, 3), (0, 0)])
def test_a_share_is_the_training_reports(count: int, of: int) -> None:
    ours, theirs = statistics.share(count, of), evaluate.share(count, of)

    assert (ours.count, ours.of) == (theirs.count, theirs.of)
    assert (ours.value, ours.low, ours.high) == pytest.approx((theirs.value, theirs.low, theirs.high))


def test_calibration_is_the_training_reports(judged: tuple[NDArray[np.float64], NDArray[np.bool_]]) -> None:
    assert statistics.expected_calibration_error(*judged) == pytest.approx(evaluate.expected_calibration_error(*judged))


def test_the_brier_score_is_the_mean_squared_distance() -> None:
    assert statistics.brier(np.array([0.9, 0.2]), np.array([True, False])) == pytest.approx((0.01 + 0.04) / 2)


def test_the_area_is_the_training_reports_and_its_interval_nearly_the_bootstraps(
    judged: tuple[NDArray[np.float64], NDArray[np.bool_]],
) -> None:
    found = statistics.area(*judged)

    value, low, high = evaluate.auc_with_interval(*judged)
    assert found is not None
    assert found.low is not None
    assert found.high is not None
    assert found.value == pytest.approx(value)
    assert (found.low, found.high) == pytest.approx((low, high), abs=0.01)


def test_the_interval_is_delongs_variance_counted_pair_by_pair() -> None:
    score, truth = np.array([0.9, 0.8, 0.4, 0.4, 0.3, 0.1]), np.array([True, True, True, False, True, False])
    ill, well = score[truth], score[~truth]
    pairs = np.array([[1.0 if a > b else 0.5 if a == b else 0.0 for b in well] for a in ill])
    variance = pairs.mean(axis=1).var(ddof=1) / len(ill) + pairs.mean(axis=0).var(ddof=1) / len(well)
    area = pairs.mean()

    found = statistics.area(score, truth)

    assert found is not None
    assert found.value == pytest.approx(area)
    assert found.high is not None
    logit = math.log(found.high / (1 - found.high)) - math.log(area / (1 - area))
    assert logit == pytest.approx(1.959964 * math.sqrt(variance) / (area * (1 - area)), rel=1e-6)
    assert area < found.high < 1


def test_classes_that_lie_apart_have_an_area_without_an_interval() -> None:
    assert statistics.area(np.array([0.9, 0.1]), np.array([True, False])) == statistics.Area(1.0, None, None)


def test_one_class_alone_has_no_area() -> None:
    assert statistics.area(np.array([0.9, 0.1]), np.array([True, True])) is None


def test_a_mean_lies_in_its_interval_of_two_standard_errors() -> None:
    found = statistics.mean(np.array([1.0, 2.0, 3.0, 6.0]))

    assert found.value == 3.0
    assert found.high - found.value == pytest.approx(1.959964 * np.std([1, 2, 3, 6], ddof=1) / 2, rel=1e-6)
    assert found.value - found.low == pytest.approx(found.high - found.value)


@pytest.mark.parametrize(
    ("probability", "truth", "value"),
    [
        ([0.1, 0.9], [False, True], 1.0),
        ([0.9, 0.1], [False, True], 0.0),
        ([0.5, 0.5], [False, True], 0.5),
        ([0.1, 0.4, 0.35, 0.8], [False, False, True, True], 0.75),
        ([0.1, 0.9], [True, True], None),
    ],
)
def test_the_area_under_the_curve(probability: list[float], truth: list[bool], value: float | None) -> None:
    found = statistics.area(np.array(probability), np.array(truth))

    assert (None if found is None else found.value) == value
