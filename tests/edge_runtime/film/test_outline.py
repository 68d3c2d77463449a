import numpy as np
import pytest

from edge_runtime.film import outline
from tests.edge_runtime.film.scenes import Pixels, empty, film, grey, plain, radiograph, still
from tools.lightbox import DISTURBANCES, Disturbance, Shot


def error(shot: Shot) -> float:
    """Pixels of the full frame from the farthest corner to the film's or the radiograph's; infinite for no film."""
    small, factor = outline.reduce(grey(shot))
    found = outline.find(small)
    if found is None:
        return float("inf")
    corners = (found.corners + 0.5) * factor - 0.5
    return min(
        float(np.linalg.norm(corners - true, axis=1).max()) for true in (shot.film, shot.radiograph) if true is not None
    )


@pytest.mark.parametrize("disturbance", DISTURBANCES)
def test_a_film_is_found_in_spite_of(disturbance: Disturbance) -> None:
    errors = [error(still(disturbance=disturbance, seed=seed)) for seed in range(31, 34)]

    assert max(errors) < 12.0


def test_the_film_is_found_and_not_the_larger_box() -> None:
    assert error(still(plain())) < 6.0


def test_a_film_that_fills_its_box_is_found() -> None:
    assert error(still(plain(surround=(0.0, 0.0, 0.0, 0.0), border=0.01, border_black=False))) < 8.0


@pytest.mark.parametrize("side", range(4))
def test_a_hand_at_any_side_hides_no_film(side: int) -> None:
    assert error(still(plain(fingers=(side, 0.05, 0.1), shadow=0.2))) < 12.0


def test_a_picture_on_a_screen_is_found_though_its_edge_is_brighter_and_darker_than_what_is_around() -> None:
    assert error(still(plain(monitor=True, backdrop=0.15))) < 6.0


def test_a_film_is_not_stretched_to_the_screens_edge_where_its_own_is_weak() -> None:
    # Much of the film's edge is as bright as the screen, the screen's own is not: corners tell them apart.
    assert error(still(disturbance="moire", seed=52, picture=radiograph(303, "pneumonia"))) < 6.0


@pytest.mark.parametrize("disturbance", DISTURBANCES)
def test_bare_light_is_no_film(disturbance: Disturbance) -> None:
    frames = [outline.reduce(grey(empty(disturbance=disturbance, seed=seed)))[0] for seed in range(31, 34)]

    assert [outline.find(frame) for frame in frames] == [None] * 3


@pytest.mark.parametrize(
    "frame",
    [
        np.zeros((360, 480), np.uint8),
        np.full((360, 480), 255, np.uint8),
        np.random.default_rng(0).integers(0, 256, (360, 480), np.uint8),
        np.full((2, 2), 9, np.uint8),
    ],
    ids=["black", "white", "noise", "tiny"],
)
def test_nothing_is_no_film(frame: Pixels) -> None:
    assert outline.find(frame) is None


def test_a_sheet_in_the_dim_room_is_no_film() -> None:
    frame = np.full((360, 480), 20, np.uint8)
    frame[:, :40] = 255  # a lamp elsewhere makes the camera expose for it
    frame[60:300, 120:400] = 30 + radiograph()[:240, :280] // 16

    assert outline.find(frame) is None


def test_a_frame_is_reduced_to_at_most_480_pixels() -> None:
    small, factor = outline.reduce(np.zeros((1232, 1640), np.uint8))

    assert small.shape == (361, 480)
    assert factor == pytest.approx(1640 / 480)
    same, one = outline.reduce(small)
    assert (same is small, one) == (True, 1.0)


@pytest.mark.parametrize(("ribs", "spot", "flat"), [(0.0, 0, True), (0.0, 255, True), (0.2, 0, False)])
def test_structure_is_more_than_uneven_light_and_a_reflection(ribs: float, spot: int, flat: bool) -> None:
    y, x = np.mgrid[-1:1:48j, -1:1:48j]
    picture = np.clip(200 * np.exp(-0.4 * (x**2 + y**2)) * (1 + ribs * np.sin(12 * y)), 0, 255).astype(np.uint8)
    picture[20:26, 15:25] = max(spot, 150)

    assert (outline.structure(picture) < 0.035) == flat


def test_corners_go_clockwise_from_the_top_left() -> None:
    shot = still(plain())
    small, factor = outline.reduce(grey(shot))

    found = outline.find(small)

    assert found is not None
    np.testing.assert_allclose(found.corners * factor, film(shot), atol=6.0)
    assert 0.8 < found.edges <= 1.0
    assert found.likeness > 0.4
