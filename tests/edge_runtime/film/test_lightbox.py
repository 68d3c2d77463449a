"""The simulator that the film's tests and its measurement stand on."""

import numpy as np
import pytest

from tests.edge_runtime.film.scenes import SIZE, film, grey, plain, radiograph, still
from tools import lightbox


def test_a_seed_gives_the_same_frames_and_another_gives_others() -> None:
    first, again, other = (
        [shot.frame for shot in lightbox.sequence(radiograph(), seed, "glare", size=SIZE, timeline=[("still", 2)])]
        for seed in (1, 1, 2)
    )

    np.testing.assert_array_equal(first, again)
    assert np.abs(np.asarray(first, np.int16) - np.asarray(other, np.int16)).mean() > 5


def test_a_sequence_brings_one_film_and_takes_it_away() -> None:
    shots = list(lightbox.sequence(radiograph(), 1, size=(320, 240)))

    parts = [shot.part for shot in shots]
    assert (parts[0], parts[-1], parts.count("still")) == ("empty", "empty", 8)
    assert [shot.film is None for shot in shots] == [part == "empty" for part in parts]
    assert np.diff([shot.seconds for shot in shots]) == pytest.approx(0.2)


def test_a_film_lies_where_its_corners_are_said_to_be() -> None:
    shot = still(plain(hot_spot=0.0, tilt=20.0), picture=np.zeros((300, 400), np.uint8))
    corners, picture = film(shot), grey(shot)
    middle = corners.mean(axis=0)

    inside, outside = (
        [picture[tuple(np.rint(middle + share * (corner - middle)).astype(int)[::-1])] for corner in corners]
        for share in (0.98, 1.02)
    )

    assert max(inside) + 80 < min(outside)


@pytest.mark.parametrize("disturbance", lightbox.DISTURBANCES)
def test_each_disturbance_is_stronger_than_without(disturbance: lightbox.Disturbance) -> None:
    plain_one, disturbed = lightbox.draw_setting(5, None), lightbox.draw_setting(5, disturbance)

    stronger = {
        "perspective": abs(disturbed.tilt) > abs(plain_one.tilt) and abs(disturbed.pan) > abs(plain_one.pan),
        "glare": bool(disturbed.glare) and not plain_one.glare,
        "moire": disturbed.moire > 0 and disturbed.monitor,
        "noise": disturbed.noise > plain_one.noise,
        "hand": disturbed.fingers is not None and disturbed.shadow > plain_one.shadow,
        "uneven": disturbed.hot_spot > plain_one.hot_spot,
    }

    assert stronger[disturbance]
