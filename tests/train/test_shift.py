import numpy as np
import pytest

from tests.datasets import draw
from train.shift import CHANGES, changed


@pytest.mark.parametrize("name", CHANGES)
def test_each_change_changes_pixels_and_nothing_else(name: str) -> None:
    pixels = draw(np.random.default_rng(0), 3)[None, :, :, None]

    result = changed(pixels, CHANGES[name])

    assert (result.shape, result.dtype) == (pixels.shape, pixels.dtype)
    assert (result != pixels).mean() > 0.1
    np.testing.assert_array_equal(result, changed(pixels, CHANGES[name]))
