"""Which films are taken, and how often, told by what is done before the camera."""

import cv2
import numpy as np
import pytest

from edge_runtime.film.tracker import FilmTracker, Sighting
from tests.edge_runtime.film.scenes import Pixels, empty, plain, radiograph, still

RATE = 5.0
FILM = still(plain()).frame
EMPTY = empty(plain()).frame
OTHER_PLACE = still(plain(tilt=5.0, roll=6.0, share=0.5)).frame
OTHER = still(plain(), picture=radiograph(302, "pneumonia")).frame
HAND = still(plain(fingers=(2, 0.5, 0.6), shadow=0.3)).frame
BLURRED = still(plain(blur=7.0)).frame
NOISE = np.random.default_rng(0).normal(0.0, 2.0, FILM.shape[:2]).astype(np.int16)
SHONE_UPON = still(plain(glare=((0.35, 0.5, 0.15, 1.5, 3.0),))).frame


class Show:
    """Frames before a tracker, five a second."""

    def __init__(self, still: float = 0.7) -> None:
        self.tracker = FilmTracker(still=still)
        self.sightings: list[Sighting] = []

    def frames(self, *shown: tuple[Pixels, int]) -> "Show":
        for frame, count in shown:
            for _ in range(count):
                number = len(self.sightings)
                noise = np.roll(NOISE[: frame.shape[0], : frame.shape[1]], 7 * number, axis=0)
                noisy = cv2.add(frame, noise if frame.ndim == 2 else cv2.merge([noise] * 3), dtype=cv2.CV_8U)
                self.sightings.append(self.tracker.look(np.asarray(noisy, np.uint8), number / RATE))
        return self

    @property
    def states(self) -> list[str]:
        """Each state once, as long as it lasts."""
        states = [sighting.state for sighting in self.sightings]
        return [state for number, state in enumerate(states) if number == 0 or states[number - 1] != state]

    @property
    def taken(self) -> int:
        return sum(sighting.film is not None for sighting in self.sightings)


def test_a_film_is_taken_once_it_has_lain_still_for_a_moment() -> None:
    show = Show().frames((EMPTY, 3), (FILM, 12), (EMPTY, 2))

    assert show.states == ["nothing", "moving", "holding", "taken", "seen", "nothing"]
    assert show.taken == 1
    moment = next(number for number, one in enumerate(show.sightings) if one.state == "taken")
    assert moment == 3 + 4  # the first frame of the film, and 0.7 s later


@pytest.mark.parametrize(("still_seconds", "frames"), [(0.3, 2), (1.5, 8)])
def test_the_moment_can_be_chosen(still_seconds: float, frames: int) -> None:
    show = Show(still_seconds).frames((FILM, frames + 1))

    assert [one.state for one in show.sightings] == ["moving", *["holding"] * (frames - 1), "taken"]


def test_a_film_is_said_with_its_outline_and_a_sentence() -> None:
    show = Show().frames((EMPTY, 1), (FILM, 6))

    assert (show.sightings[0].outline, show.sightings[0].sentence) == (None, "No film in sight.")
    assert all(one.outline is not None and one.sentence for one in show.sightings[1:])
    film = show.sightings[5].film
    assert film is not None
    assert film.pixels.dtype == np.uint8
    assert show.sightings[5].outline is film.outline


@pytest.mark.parametrize(
    "between",
    [
        [(HAND, 8)],
        [(np.zeros_like(FILM), 1), (FILM, 1), (np.zeros_like(FILM), 3)],
        [(np.asarray(FILM * 0.7, np.uint8), 8)],
        [(EMPTY, 50)],
        [(OTHER_PLACE, 8)],
    ],
    ids=["hand", "lamp off", "lamp dimmed", "put back", "moved"],
)
def test_the_same_film_is_not_taken_again(between: list[tuple[Pixels, int]]) -> None:
    show = Show().frames((FILM, 8), *between, (FILM, 8))

    assert show.taken == 1
    assert show.sightings[-1].state == "seen"


@pytest.mark.parametrize("first", [FILM, OTHER_PLACE], ids=["where it was taken", "where it was moved to"])
def test_a_card_over_a_third_of_the_film_makes_no_other(first: Pixels) -> None:
    show = Show().frames((FILM, 8), (first, 8))
    assert show.sightings[-1].outline is not None
    corners = show.sightings[-1].outline
    middle = 0.35 * corners[[0, 3]] + 0.65 * corners[[1, 2]]
    covered = first.copy()
    card = np.array([middle[0], corners[1] + [90, -20], corners[2] + [90, 20], middle[1]])
    cv2.fillConvexPoly(covered, np.rint(card).astype(np.int32), (235, 235, 235))

    show.frames((covered, 10))

    assert show.taken == 1


def test_light_that_flickers_delays_nothing() -> None:
    brighter, dimmer = FILM, cv2.convertScaleAbs(FILM, alpha=0.93)

    show = Show().frames(*[(np.asarray(frame, np.uint8), 1) for frame in [brighter, dimmer] * 3])

    assert [one.state for one in show.sightings] == ["moving", "holding", "holding", "holding", "taken", "seen"]


@pytest.mark.parametrize("between", [0, 1, 10], ids=["between two frames", "quickly", "slowly"])
def test_another_film_is_taken(between: int) -> None:
    show = Show().frames((FILM, 8), (EMPTY, between), (OTHER, 8))

    assert show.taken == 2


def test_a_film_is_taken_again_after_another() -> None:
    assert Show().frames((FILM, 8), (OTHER, 8), (FILM, 8)).taken == 3


def test_the_button_makes_the_film_that_lies_there_a_new_one() -> None:
    show = Show().frames((FILM, 8))

    show.tracker.renew()

    assert show.frames((FILM, 8)).taken == 2
    assert show.frames((FILM, 8)).taken == 2


@pytest.mark.parametrize(("frame", "state"), [(BLURRED, "blurred"), (SHONE_UPON, "glare")], ids=["blurred", "glare"])
def test_a_poor_picture_is_not_taken_until_it_is_better(frame: Pixels, state: str) -> None:
    show = Show().frames((frame, 15))
    assert (show.taken, show.sightings[-1].state) == (0, state)

    assert show.frames((FILM, 8)).taken == 1


@pytest.mark.parametrize("frame", [BLURRED, SHONE_UPON], ids=["blurred", "glare"])
def test_a_poor_picture_is_taken_by_the_button(frame: Pixels) -> None:
    show = Show().frames((frame, 8))

    show.tracker.renew()
    show.frames((frame, 8))

    film = next(one.film for one in show.sightings if one.film is not None)
    assert film.quality.grade == "poor"
    assert show.taken == 1


def test_a_film_that_shakes_is_not_taken() -> None:
    places = [still(plain(roll=1.5 * (-1) ** number)).frame for number in range(2)]

    show = Show().frames(*[(places[number % 2], 1) for number in range(12)])

    assert show.taken == 0
    assert set(show.states) == {"moving"}


def test_several_frames_make_one_with_less_noise() -> None:
    shows = [Show(still=seconds).frames((FILM, 12)) for seconds in (0.2, 2.0)]

    few, many = (next(one.film for one in show.sightings if one.film is not None).pixels for show in shows)

    assert few.shape == many.shape
    rough = [float(np.abs(cv2.Laplacian(pixels, cv2.CV_32F)).mean()) for pixels in (few, many)]
    assert rough[1] < 0.9 * rough[0]


def test_a_camera_that_changes_its_size_is_no_error() -> None:
    show = Show().frames((FILM, 8))

    show.frames((np.ascontiguousarray(FILM[::2, ::2]), 3), (np.asarray(FILM[..., 0]), 3))

    assert show.taken == 1
