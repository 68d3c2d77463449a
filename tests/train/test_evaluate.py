import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from train.evaluate import (
    auc_with_interval,
    class_probabilities,
    expected_calibration_error,
    figures,
    pneumonia_probability,
    share,
)


def test_figures_count_what_they_should() -> None:
    probability = np.array([0.1, 0.6, 0.5, 0.9, 0.2])
    pneumonia = np.array([False, False, True, True, True])

    found = figures(probability, pneumonia)

    assert (found.right, found.images) == (3, 5)
    assert (found.sensitivity.count, found.sensitivity.of) == (2, 3)
    assert (found.specificity.count, found.specificity.of) == (1, 2)
    assert found.auc == pytest.approx(4 / 6)
    assert found.brier == pytest.approx(np.mean([0.01, 0.36, 0.25, 0.01, 0.64]))


def test_probability_of_pneumonia_is_all_that_is_not_normal() -> None:
    logits = np.array([[1.0, 0.0, -1.0], [900.0, 0.0, 0.0]], np.float32)

    shares = class_probabilities(logits)

    np.testing.assert_allclose(pneumonia_probability(logits), shares[:, 1] + shares[:, 2], atol=1e-12)
    np.testing.assert_allclose(shares.sum(axis=1), 1.0)


def test_temperature_draws_probabilities_to_the_middle() -> None:
    logits = np.array([[2.0, 0.0, 0.0]], np.float32)

    assert pneumonia_probability(logits, 3.0)[0] > pneumonia_probability(logits, 1.0)[0]


def test_share_has_wilsons_interval() -> None:
    found = share(600, 624)

    # Wilson's interval by hand: (p + z^2/2n +- z sqrt(p(1-p)/n + z^2/4n^2)) / (1 + z^2/n).
    assert [found.low, found.high] == pytest.approx([0.9434, 0.9740], abs=1e-4)


def test_auc_interval_holds_the_auc_and_narrows_with_images() -> None:
    rng = np.random.default_rng(0)
    widths = []
    for count in (60, 2000):
        truth = np.arange(count) % 3 > 0
        probability = np.clip(rng.normal(0.4 + 0.2 * truth, 0.15), 0, 1)
        auc, low, high = auc_with_interval(probability, truth)
        assert auc == pytest.approx(roc_auc_score(truth, probability))
        assert low < auc < high
        widths.append(high - low)
    assert widths[1] < widths[0] / 3


def test_calibration_error_is_the_gap_between_stated_and_seen() -> None:
    truth = np.array([True, True, True, False])

    assert expected_calibration_error(np.full(4, 0.75), truth) == pytest.approx(0.0)
    assert expected_calibration_error(np.full(4, 0.95), truth) == pytest.approx(0.2)
