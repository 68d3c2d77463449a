import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from train import points
from train.points import Answers, Band, OperatingPoints


def _answers(positive: list[float] | NDArray[np.float64], negative: list[float] | NDArray[np.float64]) -> Answers:
    probability = np.concatenate([positive, negative]).astype(np.float64)
    return probability, np.arange(len(probability)) < len(positive)


def _hundred(spread: float, seed: int = 0) -> Answers:
    """100 pneumonias and 100 normals, the more often wrong the wider they are spread."""
    rng = np.random.default_rng(seed)
    margins = rng.normal(0, spread, 200) + np.where(np.arange(200) < 100, 2, -2)
    probability = 1 / (1 + np.exp(-margins))
    return probability, np.arange(200) < 100


def test_two_of_a_hundred_may_be_missed_and_no_more() -> None:
    positive = np.linspace(0.101, 0.2, 100)
    negative = np.linspace(0.801, 0.9, 100)

    chosen = points.choose({"": _answers(positive, negative)})

    # The third lowest of the pneumonias is found; the third highest of the normals would be left alone from 0.899.
    assert chosen.thresholds == {"balanced": 0.5, "screening": 0.101, "confirm": 0.899}
    assert (chosen.default, chosen.uncertain) == ("balanced", Band(0.101, 0.899))


def test_the_class_with_hard_images_sets_both_points() -> None:
    easy, hard = [0.9] * 9, [0.1, 0.2, 0.8]

    missed, alarmed = points.choose({"": _answers(hard, [0.1])}), points.choose({"": _answers(easy, hard)})

    assert missed.thresholds == {"balanced": 0.5, "screening": 0.1, "confirm": 0.9}
    assert alarmed.thresholds == {"balanced": 0.5, "screening": 0.199, "confirm": 0.801}


def test_the_worst_change_decides() -> None:
    plain, changed = _hundred(1.0), _hundred(3.0)

    alone, both = points.choose({"": plain}), points.choose({"": plain, "blur": changed})

    assert both == points.choose({"blur": changed})
    assert both.thresholds["screening"] < alone.thresholds["screening"]
    assert both.thresholds["confirm"] > alone.thresholds["confirm"]


@given(st.integers(0, 1000), st.floats(0.1, 30.0), st.integers(1, 200), st.integers(1, 200))
@settings(deadline=None)
def test_points_keep_their_aim_and_their_order(seed: int, spread: float, positives: int, negatives: int) -> None:
    rng = np.random.default_rng(seed)
    logits = np.concatenate([rng.normal(2, spread, positives), rng.normal(-2, spread, negatives)])
    answers = _answers(*np.split(1 / (1 + np.exp(-np.clip(logits, -25, 25))), [positives]))

    chosen = points.choose({"": answers}).thresholds

    assert 0 <= chosen["screening"] <= chosen["balanced"] == 0.5 <= chosen["confirm"] <= 1
    screening = points.point_figures(chosen["screening"], answers).sensitivity
    confirm = points.point_figures(chosen["confirm"], answers).specificity
    assert screening.of - screening.count <= 0.02 * screening.of
    assert confirm.of - confirm.count <= 0.02 * confirm.of


def test_a_model_that_is_good_enough_at_one_half_stays_there() -> None:
    chosen = points.choose({"": _answers([0.9, 0.8], [0.1, 0.2])})

    assert chosen.thresholds == {"balanced": 0.5, "screening": 0.5, "confirm": 0.5}


def test_thresholds_near_an_end_keep_their_digits() -> None:
    chosen = points.choose({"": _answers([0.000123456, 0.9], [0.999, 0.1])})

    assert chosen.thresholds == {"balanced": 0.5, "screening": 0.000123, "confirm": pytest.approx(0.999877, abs=1e-15)}


def test_one_class_alone_sets_both_points() -> None:
    chosen = points.choose({"": _answers([0.3], [])})

    assert chosen.thresholds == {"balanced": 0.5, "screening": 0.3, "confirm": 0.7}


def test_a_point_is_judged_plain_and_under_the_change_that_is_hardest_on_it() -> None:
    plain = _answers([0.9, 0.6, 0.4], [0.1, 0.2])
    shifted = {"dark": _answers([0.4, 0.3, 0.4], [0.1, 0.2]), "bright": _answers([0.9, 0.9, 0.9], [0.1, 0.8])}

    found = points.point_figures(0.5, plain, shifted)

    assert (found.sensitivity.count, found.specificity.count) == (2, 2)
    assert found.worst_sensitivity is not None
    assert (found.worst_sensitivity.change, found.worst_sensitivity.share.count) == ("dark", 0)
    assert found.worst_specificity is not None
    assert (found.worst_specificity.change, found.worst_specificity.share.count) == ("bright", 1)


def test_the_band_is_judged_by_the_default_label() -> None:
    chosen = OperatingPoints({"balanced": 0.5, "screening": 0.2}, "balanced", Band(0.2, 0.7))
    plain = _answers([0.9, 0.7, 0.3, 0.1], [0.1, 0.2, 0.6, 0.8])

    found = points.band_figures(chosen, plain)

    assert (found.inside.count, found.inside.of) == (4, 8)
    assert (found.wrong_inside.count, found.wrong_inside.of) == (2, 4)
    assert (found.wrong_outside.count, found.wrong_outside.of) == (2, 4)


def test_the_band_under_shift_is_a_mean_over_images_and_the_worst_change() -> None:
    chosen = OperatingPoints({"balanced": 0.5}, "balanced", Band(0.4, 0.6))
    shifted = {"dark": _answers([0.5, 0.9], [0.1]), "bright": _answers([0.9, 0.1], [0.9])}

    found = points.shifted_band_figures(chosen, shifted)

    assert (found.inside, found.wrong_inside, found.wrong_outside) == pytest.approx((1 / 6, 0.0, 2 / 5))
    assert (found.worst_outside.change, found.worst_outside.share.count) == ("bright", 2)
