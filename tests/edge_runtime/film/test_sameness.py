import itertools

import cv2
import numpy as np

from edge_runtime.film import outline, sameness
from tests.edge_runtime.film.scenes import film, grey, plain, radiograph, still
from tools.lightbox import Shot


def signature(shot: Shot, off: float = 0.0) -> sameness.Float:
    small, factor = outline.reduce(grey(shot))
    grow = np.array([[-off, -off], [off, off], [off, -off], [-off, off]], np.float32)
    return sameness.signature(small, np.asarray(film(shot) / factor, np.float32) + grow)


def test_a_film_is_the_same_at_another_place_and_by_an_outline_that_is_a_little_off() -> None:
    first, moved = still(plain()), still(plain(tilt=6.0, pan=-6.0, roll=4.0, share=0.6), seed=2)

    assert sameness.is_same(signature(first), signature(moved, off=3.0))


def test_a_film_is_the_same_under_a_hand_and_a_reflection() -> None:
    first = still(plain())
    disturbed = still(plain(fingers=(2, 0.5, 0.25), shadow=0.3, glare=((0.3, 0.3, 0.06, 2.0, 2.0),)))

    assert sameness.is_same(signature(first), signature(disturbed))


def test_other_films_at_the_same_place_are_others() -> None:
    # All drawn ones are mixed of a few components and more alike than real ones; these are as unlike as those.
    drawn = [("normal", 321), ("normal", 323), ("pneumonia", 321), ("pneumonia", 322)]
    signatures = [signature(still(plain(), picture=radiograph(seed, name))) for name, seed in drawn]

    assert not any(sameness.is_same(one, other) for one, other in itertools.permutations(signatures, 2))


def test_a_blank_is_not_any_film() -> None:
    corners = np.array([[0, 0], [96, 0], [96, 96], [0, 96]], np.float32)
    blank = sameness.signature(np.full((96, 96), 200, np.uint8), corners)
    small = np.asarray(cv2.resize(radiograph(), (96, 96), interpolation=cv2.INTER_AREA), np.uint8)

    assert not sameness.is_same(blank, blank)
    assert not sameness.is_same(sameness.signature(small, corners), blank)
