import cv2
import numpy as np
import pytest

from edge_runtime.film import edges
from tests.edge_runtime.film.scenes import film, grey, plain, still


def test_corners_are_found_to_less_than_a_pixel() -> None:
    shot = still(plain(tilt=12.0, pan=-9.0, roll=5.0))
    off = np.array([[3, -2], [-2, 3], [2, 3], [-3, -3]], np.float32)

    found = edges.refine(grey(shot), film(shot) + off)

    assert np.linalg.norm(found.corners - film(shot), axis=1).max() < 0.9


def test_a_lens_that_bends_the_edges_moves_no_corner() -> None:
    shot = still(plain(distortion=-0.12))

    found = edges.refine(grey(shot), film(shot))

    assert np.linalg.norm(found.corners - film(shot), axis=1).max() < 0.8


@pytest.mark.parametrize("depth", [0.08, -0.02])
def test_fingers_over_an_edge_or_close_to_it_do_not_pull(depth: float) -> None:
    shot = still(plain(fingers=(2, 0.2, depth)))

    found = edges.refine(grey(shot), film(shot) + np.float32(2.0))

    assert np.linalg.norm(found.corners - film(shot), axis=1).max() < 1.0


@pytest.mark.parametrize("sigma", [1.0, 2.0, 3.0])
def test_the_blur_is_that_of_the_edges(sigma: float) -> None:
    shot = still(plain(blur=sigma))

    assert edges.refine(grey(shot), film(shot)).blur == pytest.approx(sigma, rel=0.35)


def test_without_edges_the_corners_stay_and_the_blur_is_unknown() -> None:
    corners = np.array([[50, 50], [250, 60], [240, 200], [40, 190]], np.float32)

    found = edges.refine(np.full((300, 300), 90, np.uint8), corners)

    np.testing.assert_allclose(found.corners, corners, atol=1e-3)
    assert np.isnan(found.blur)


def test_an_outline_at_the_frames_side_is_no_error() -> None:
    frame = np.full((300, 300), 200, np.uint8)
    cv2.rectangle(frame, (0, 0), (200, 299), 60, -1)

    found = edges.refine(frame, np.array([[-0.5, -0.5], [200, -0.5], [200, 299.5], [-0.5, 299.5]], np.float32))

    np.testing.assert_allclose(found.corners[1:3, 0], 200.5, atol=0.6)
