import cv2
import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from tests.datasets import draw
from train.acquisition import compare, draw_weights, statistics


def _radiographs(count: int, rng: np.random.Generator) -> NDArray[np.uint8]:
    return np.stack([draw(rng, 0)[..., None] for _ in range(count)])


def _blurred(pixels: NDArray[np.uint8], sigma: float) -> NDArray[np.uint8]:
    return np.stack([cv2.GaussianBlur(image, (0, 0), sigma)[..., None] for image in pixels])


def test_blur_lowers_sharpness_and_stretch_moves_the_ratio_of_gradients() -> None:
    pixels = _radiographs(1, np.random.default_rng(0))
    taller = np.stack([cv2.resize(image, (96, 192))[:96, :, None] for image in pixels])

    plain, blurred, stretched = statistics(pixels)[0], statistics(_blurred(pixels, 2.0))[0], statistics(taller)[0]

    assert (blurred[:2] < plain[:2]).all()
    assert stretched[2] < plain[2]


def test_black_image_has_finite_statistics() -> None:
    assert np.isfinite(statistics(np.zeros((1, 224, 224, 1), np.uint8))).all()


def test_class_that_is_blurred_is_told_by_acquisition_alone_and_weights_break_the_tie() -> None:
    rng = np.random.default_rng(0)
    pixels = _radiographs(60, rng)
    # Four in five of one class are blurred and one in five of the other: a shortcut that is right four times in five.
    pneumonia = np.arange(60) < 30
    blurred = (np.arange(60) % 5 < 4) == pneumonia
    pixels[blurred] = _blurred(pixels[blurred], 2.0)

    told = compare(pixels, pneumonia, pixels[:5])
    weights = draw_weights(told.training, pneumonia, 5.0)

    assert roc_auc_score(pneumonia, told.training) > 0.75
    assert abs(roc_auc_score(pneumonia, told.training, sample_weight=weights) - 0.5) < 0.25
    np.testing.assert_allclose(told.validation, told.training[:5])


def test_weights_stay_within_the_cap_and_a_cap_of_one_draws_all_alike() -> None:
    log_odds, pneumonia = np.array([-9.0, -1.0, 0.5, 9.0]), np.array([True, True, False, False])

    np.testing.assert_allclose(draw_weights(log_odds, pneumonia, 4.0), [4.0, np.e, np.exp(0.5), 4.0])
    np.testing.assert_allclose(draw_weights(log_odds, pneumonia, 1.0), 1.0)
