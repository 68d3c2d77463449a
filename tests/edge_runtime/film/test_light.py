import cv2
import numpy as np
import pytest

from edge_runtime.film import light, outline
from tests.edge_runtime.film.scenes import film, grey, plain, radiograph, still
from tools.lightbox import Shot


def field(shot: Shot) -> light.Float | None:
    small, factor = outline.reduce(grey(shot))
    return light.field(small, np.asarray((film(shot) + 0.5) / factor - 0.5, np.float32))


def test_uneven_light_is_found_behind_the_film() -> None:
    # A film of one grey level shows the light itself.
    blank = np.full((300, 380), 128, np.uint8)
    shot = still(plain(hot_spot=0.5, vignetting=0.35), picture=blank)
    target = np.array([[0, 0], [73, 0], [73, 73], [0, 73]], np.float32)
    matrix = cv2.getPerspectiveTransform(film(shot), target)
    seen = light.linear(np.asarray(cv2.warpPerspective(grey(shot), matrix, (74, 74))))[4:-4, 4:-4]

    found = field(shot)

    assert found is not None
    even = seen / found[4:-4, 4:-4]
    assert seen.std() / seen.mean() > 0.1
    assert even.std() / even.mean() < 0.05


def test_a_film_is_divided_by_the_light_behind_it() -> None:
    behind = np.tile(np.linspace(0.3, 0.9, 74, dtype=np.float32), (74, 1))
    film_before_it = 0.4 * np.asarray(cv2.resize(behind, (500, 400), interpolation=cv2.INTER_LINEAR), np.float32)

    np.testing.assert_allclose(light.divide(film_before_it, behind), 0.4, rtol=1e-5)
    assert light.divide(film_before_it, None) is film_before_it


def test_what_is_divided_keeps_the_films_own_slow_changes() -> None:
    ramp = np.tile(np.linspace(60, 220, 380).astype(np.uint8), (300, 1))

    found = field(still(plain(hot_spot=0.0, vignetting=0.0), picture=ramp))

    assert found is not None
    assert found.std() / found.mean() < 0.02


@pytest.mark.parametrize(
    "shot",
    [
        still(plain(surround=(0.0, 0.0, 0.0, 0.0))),
        still(plain(surround=(0.3, 0.0, 0.0, 0.0))),
        still(plain(exposure=1.6)),
    ],
    ids=["no box around", "on one side alone", "outshining the camera"],
)
def test_without_bare_light_nothing_is_divided(shot: Shot) -> None:
    assert field(shot) is None


def test_a_reflection_is_found_and_a_marker_is_not() -> None:
    picture = np.full((400, 500), 0.2, np.float32)
    cv2.ellipse(picture, (350, 120), (40, 20), 0, 0, 360, 1.0, -1)
    cv2.rectangle(picture, (40, 30), (70, 60), 1.0, 6)  # a letter's strokes

    hidden = light.reflections(picture, None)

    assert hidden[120, 350]
    assert hidden[:, :200].sum() == 0
    assert hidden.mean() == pytest.approx(np.pi * 40 * 20 / 200_000, rel=0.1)


def test_what_is_brighter_than_the_bare_box_is_a_reflection() -> None:
    picture = np.full((400, 500), 0.1, np.float32)
    picture[100:130, 200:240] = 0.6

    assert not light.reflections(picture, None).any()
    assert light.reflections(picture, picture / 0.6)[115, 220]


def test_a_picture_that_is_brighter_than_the_screen_around_is_no_reflection() -> None:
    picture = np.full((400, 500), 0.3, np.float32)
    picture[:, 100:400] = 0.6

    assert not light.reflections(picture, picture / 0.4).any()


def test_what_a_reflection_hides_is_filled_from_around_it() -> None:
    plain_picture = np.tile(np.linspace(0.1, 0.3, 500, dtype=np.float32), (400, 1))
    shone = plain_picture + 2 * np.exp(
        -(((np.arange(500) - 300) / 30) ** 2)[None, :] - (((np.arange(400) - 200) / 30) ** 2)[:, None]
    ).astype(np.float32)

    filled = light.fill(np.minimum(shone, 1.0), light.reflections(np.minimum(shone, 1.0), None))

    assert np.abs(shone - plain_picture).max() > 1.9
    assert np.abs(filled - plain_picture).max() < 0.25
    np.testing.assert_array_equal(filled[:100], np.minimum(shone, 1.0)[:100])


def test_a_film_without_reflections_stays_as_it_is() -> None:
    picture = np.full((40, 50), 0.2, np.float32)

    assert light.fill(picture, np.zeros((40, 50), np.bool_)) is picture


@pytest.mark.parametrize("gamma", [1.0, 2.2, 3.5])
def test_the_tone_is_the_same_whatever_the_films_curve(gamma: float) -> None:
    level = radiograph() / np.float32(255)

    found = light.tone(np.asarray((level * 0.6 + 0.05) ** gamma, np.float32))

    assert np.median(found) == pytest.approx(0.6 * 255, abs=12)
    assert np.corrcoef(found.ravel(), radiograph().ravel())[0, 1] > 0.98
    assert (int(found.min()), int(found.max())) == (0, 255)


def test_a_flat_film_has_a_tone_too() -> None:
    assert light.tone(np.full((40, 50), 0.2, np.float32)).shape == (40, 50)


def test_light_is_what_srgb_says() -> None:
    np.testing.assert_allclose(light.linear(np.array([0, 255, 188], np.uint8)), [0.0, 1.0, 0.503], atol=0.002)
