import numpy as np
import pytest

from tests.datasets import draw
from train.augment import Augmentation, augment

STILL = Augmentation(**dict.fromkeys(Augmentation.__struct_fields__, 0.0))


def test_no_strength_leaves_the_radiograph_as_it_is() -> None:
    image = draw(np.random.default_rng(0), 3)

    for seed in range(5):
        result = augment(image, 96, STILL, np.random.default_rng(seed))
        assert np.abs(result.astype(int) - image).max() <= 1


@pytest.mark.parametrize("size", [64, 96, 224])
def test_result_has_the_training_size(size: int) -> None:
    result = augment(draw(np.random.default_rng(0), 3), size, Augmentation(), np.random.default_rng(0))

    assert result.shape == (size, size)
    assert result.dtype == np.uint8


def test_same_generator_gives_the_same_picture_and_another_gives_another() -> None:
    image = draw(np.random.default_rng(0), 3)

    first, same, other = (augment(image, 96, Augmentation(), np.random.default_rng(seed)) for seed in (1, 1, 2))

    np.testing.assert_array_equal(first, same)
    assert (first != other).any()


@pytest.mark.parametrize("name", list(Augmentation.__struct_fields__))
def test_each_disturbance_alone_changes_pixels(name: str) -> None:
    image = draw(np.random.default_rng(0), 3)
    alone = Augmentation(**{**dict.fromkeys(Augmentation.__struct_fields__, 0.0), name: 1.0})

    results = [augment(image, 96, alone, np.random.default_rng(seed)) for seed in range(12)]

    assert any(np.abs(result.astype(int) - image).max() > 1 for result in results)


def test_mirror_turns_left_to_right() -> None:
    image = draw(np.random.default_rng(0), 3)
    mirrored = Augmentation(**{**dict.fromkeys(Augmentation.__struct_fields__, 0.0), "mirror": 1.0})

    result = augment(image, 96, mirrored, np.random.default_rng(0))

    assert np.abs(result.astype(int) - image[:, ::-1]).max() <= 1
