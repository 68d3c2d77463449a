import keras
import numpy as np
import pytest

from edge_runtime.errors import UsageError
from train import vgg16
from train.merge import mean, merge


def _member(seed: int, width: float = 0.125) -> keras.Model:
    keras.utils.set_random_seed(seed)
    model = vgg16.build(None, width=width)
    rng = np.random.default_rng(seed)
    for variable in model.trainable_variables:
        variable.assign(variable + rng.normal(0, 0.2, variable.shape))
    return model


def test_merged_model_answers_with_the_mean_of_its_members() -> None:
    members = [_member(seed) for seed in range(4)]
    wide = vgg16.build(None, width=0.5)
    pixels = np.random.default_rng(0).uniform(0, 255, (3, 64, 64, 1)).astype(np.float32)

    merge(members, wide)

    expected = np.mean([member.predict_on_batch(pixels) for member in members], axis=0)
    np.testing.assert_allclose(wide.predict_on_batch(pixels), expected, atol=1e-4)
    assert np.abs(expected).max() > 0.1


def test_mean_answers_as_the_merged_model() -> None:
    members = [_member(seed) for seed in range(4)]
    wide = vgg16.build(None, width=0.5)
    merge(members, wide)
    pixels = np.random.default_rng(1).uniform(0, 255, (3, 64, 64, 1)).astype(np.float32)

    answers = mean(members).predict_on_batch(pixels)

    np.testing.assert_allclose(answers, wide.predict_on_batch(pixels), atol=1e-4)


def test_members_whose_widths_do_not_add_up_are_refused() -> None:
    with pytest.raises(UsageError, match=r"has 32 filters, theirs have 8 \+ 8"):
        merge([_member(0), _member(1)], vgg16.build(None, width=0.5))
