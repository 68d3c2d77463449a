from pathlib import Path

import numpy as np
import pytest

from edge_runtime.errors import ImageError
from edge_runtime.radiograph.decode import decode
from edge_runtime.radiograph.prepare import prepare


@pytest.mark.parametrize("shape", [(224, 224), (1000, 1500), (33, 400), (224, 225), (32, 32)])
def test_every_size_becomes_the_models(shape: tuple[int, int]) -> None:
    pixels = prepare(np.full(shape, 99, np.uint8))

    assert pixels.shape == (1, 224, 224, 1)
    assert pixels.dtype == np.uint8
    assert (pixels == 99).all()
    assert pixels.flags.c_contiguous


def test_the_size_can_be_chosen() -> None:
    assert prepare(np.zeros((300, 500), np.uint8), 160, 128).shape == (1, 160, 128, 1)


def test_a_picture_of_the_right_size_is_not_touched() -> None:
    grey = np.random.default_rng(0).integers(0, 256, (224, 224), dtype=np.uint8)

    np.testing.assert_array_equal(prepare(grey)[0, :, :, 0], grey)


def test_a_turned_picture_of_the_right_size_is_made_contiguous() -> None:
    grey = np.random.default_rng(0).integers(0, 256, (224, 224), dtype=np.uint8)

    pixels = prepare(np.rot90(grey))

    assert pixels.flags.c_contiguous
    np.testing.assert_array_equal(pixels[0, :, :, 0], np.rot90(grey))


def test_it_interpolates_linearly_without_smoothing_first() -> None:
    # Half the size: the samples lie in the middle of four pixels, of which a smoothing filter would take sixteen.
    grey = np.random.default_rng(0).integers(0, 256, (448, 448), dtype=np.uint8)
    # A quarter of the size: they lie in the middle of 4 x 4 pixels, of which only the inner four count.
    large = np.random.default_rng(1).integers(0, 256, (896, 896), dtype=np.uint8)

    expected = grey.reshape(224, 2, 224, 2).mean(axis=(1, 3))
    expected_large = large.reshape(224, 4, 224, 4)[:, 1:3, :, 1:3].mean(axis=(1, 3))

    assert np.abs(prepare(grey)[0, :, :, 0] - expected).max() <= 1
    assert np.abs(prepare(large)[0, :, :, 0] - expected_large).max() <= 1


@pytest.mark.parametrize("shape", [(31, 500), (500, 31), (1, 1)])
def test_a_tiny_picture_is_refused(shape: tuple[int, int]) -> None:
    with pytest.raises(ImageError, match=f"^too small: {shape[1]} x {shape[0]} pixels"):
        prepare(np.zeros(shape, np.uint8))


def test_files_of_the_data_set_pass_unchanged(chest_xray: Path) -> None:
    file = min((chest_xray / "test" / "NORMAL").iterdir())

    grey = decode(file.read_bytes())

    assert grey.shape == (224, 224)
    np.testing.assert_array_equal(prepare(grey)[0, :, :, 0], grey)
