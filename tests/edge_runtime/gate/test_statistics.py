import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from edge_runtime.gate.statistics import FARTHEST, Limits, Statistics, block_means, judge, measure, square

LIMITS = Limits(Statistics(30, 10, 0.05, 0), Statistics(220, 90, 0.5, 0.6))


def cloud(*, level: float = 128, contrast: float = 40, sigma: float = 16) -> NDArray[np.uint8]:
    """Smooth noise with a little grain, about as bright, rich and sharp as a radiograph."""
    rng = np.random.default_rng(0)
    noise = np.asarray(cv2.GaussianBlur(rng.standard_normal((224, 224)), (0, 0), sigma))
    picture = level + contrast * noise / noise.std() + contrast / 15 * rng.standard_normal((224, 224))
    return np.asarray(np.clip(picture, 0, 255), np.uint8)


def test_a_picture_within_the_limits_has_a_distance_below_one_and_no_reason() -> None:
    distance, reason = judge(measure(cloud()), LIMITS)

    assert 0.0 < distance < 1.0
    assert reason is None


@pytest.mark.parametrize(
    ("picture", "words"),
    [
        (np.full((224, 224), 120, np.uint8), "blank"),
        (cloud(level=18, contrast=12), "too dark"),
        (cloud(level=240, contrast=12), "too bright"),
        (np.asarray(cv2.GaussianBlur(cloud(), (0, 0), 12)), "blurred"),
        (np.random.default_rng(0).integers(0, 256, (224, 224)).astype(np.uint8) // 2 + cloud() // 2, "noise, text"),
        (np.where(cloud() > 128, 200, 60).astype(np.uint8), "text, a drawing or a mask"),
    ],
)
def test_what_is_beyond_a_limit_is_said_in_words(picture: NDArray[np.uint8], words: str) -> None:
    distance, reason = judge(measure(picture), LIMITS)

    assert 1.0 < distance <= FARTHEST
    assert reason is not None
    assert words in reason


def test_block_means_are_exact() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (224, 224)).astype(np.uint8)

    means = block_means(pixels)

    assert means.shape == (32, 32)
    assert means[3, 5] == np.float32(pixels[21:28, 35:42].sum() / 49)


def test_any_picture_becomes_a_square() -> None:
    wide = np.tile(np.arange(0, 250, dtype=np.uint8), (90, 1))

    assert square(wide).shape == (224, 224)
    assert np.ptp(square(wide)[:, 100]) == 0
