import numpy as np
import pytest

from edge_runtime.film.straighten import aspect, straighten
from tests.edge_runtime.film.scenes import film, grey, plain, radiograph, still


@pytest.mark.parametrize(("tilt", "pan"), [(0.0, 0.0), (25.0, 0.0), (0.0, -25.0), (20.0, 20.0)])
def test_the_aspect_is_that_of_the_film_however_the_camera_is_tilted(tilt: float, pan: float) -> None:
    setting = plain(tilt=tilt, pan=pan, aspect=1.3, share=0.55)
    shot = still(setting)

    found = aspect(film(shot), (shot.frame.shape[0], shot.frame.shape[1]))

    assert found == pytest.approx(1.3, rel=0.03)


def test_a_tilted_film_is_laid_flat() -> None:
    tilted, square = still(plain(tilt=18.0, pan=15.0, aspect=8 / 7)), still(plain(tilt=0.0, pan=0.0, aspect=8 / 7))

    flat, straight = (
        np.asarray(straighten(grey(shot), film(shot), 0.0)).astype(np.float32) for shot in (tilted, square)
    )

    rows, columns = (min(flat.shape[axis], straight.shape[axis]) for axis in (0, 1))
    small = [
        picture[np.ix_(*(np.linspace(5, side - 6, 64).astype(int) for side in picture.shape))]
        for picture in (flat, straight)
    ]
    assert (rows, columns) > (200, 200)
    assert np.corrcoef(small[0].ravel(), small[1].ravel())[0, 1] > 0.98


def test_the_inset_is_cut_off() -> None:
    picture = np.zeros((400, 500), np.uint8)
    picture[100:300, 100:350] = 255
    corners = np.array([[99.5, 99.5], [349.5, 99.5], [349.5, 299.5], [99.5, 299.5]], np.float32)

    assert np.asarray(straighten(picture, corners, 0.01)).min() == 255
    assert np.asarray(straighten(picture, corners, -0.05)).min() == 0


def test_a_large_film_is_not_made_larger_than_is_used() -> None:
    corners = np.array([[0, 0], [3000, 0], [3000, 2400], [0, 2400]], np.float32)

    flat = straighten(np.zeros((2500, 3100), np.uint8), corners, 0.0)

    assert flat.shape[0] == 1024
    assert flat.shape[1] == pytest.approx(1280, abs=40)


def test_nothing_of_a_straight_film_is_resampled() -> None:
    picture = np.asarray(radiograph())
    height, width = picture.shape
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32) - np.float32(0.5)

    np.testing.assert_array_equal(straighten(picture, corners, 0.0), picture)
