import threading
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge_runtime.camera.preview import NAME, Preview
from edge_runtime.film.tracker import Sighting
from tests.edge_runtime.camera.doubles import BrightFilms, empty, look_at, with_film


class Hands:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def hands() -> Hands:
    return Hands()


def seen(level: int = 200) -> Sighting:
    tracker = BrightFilms()
    tracker.look(with_film(level), 0.0)
    return tracker.look(with_film(level), 0.2)


def test_outline_words_and_time_are_in_it(tmp_path: Path, hands: Hands) -> None:
    said: list[str] = []

    def now() -> str:
        said.append("2026-03-04 09:30:05")
        return said[-1]

    Preview(tmp_path, now=now, monotonic=hands).show(with_film(), seen())

    picture = look_at(tmp_path / NAME)
    assert said == ["2026-03-04 09:30:05"]
    assert picture.shape[1] == 320
    assert picture.shape[0] > 240  # the words stand below it
    assert picture[245:].max() > 200
    assert (picture.max(axis=2) - picture.min(axis=2))[30, 100:220].mean() > 60


def test_large_frames_make_a_small_file(tmp_path: Path, hands: Hands) -> None:
    frame = cv2.resize(with_film(), (1920, 1440))

    Preview(tmp_path, monotonic=hands).show(np.asarray(frame, np.uint8), Sighting(None, "nothing", "No film."))

    assert look_at(tmp_path / NAME).shape[1] == 960


def test_written_twice_a_second_at_most_but_for_the_moment_that_counts(tmp_path: Path, hands: Hands) -> None:
    preview = Preview(tmp_path, monotonic=hands)
    nothing, taken = Sighting(None, "nothing", "No film."), BrightFilms().look(with_film(), 0.0)

    written = []
    for hands.now in (0.0, 0.2, 0.4, 0.5, 0.7, 0.9, 1.0):
        written.append(preview.show(empty(), nothing))
    hands.now = 1.1

    assert written == [True, False, False, True, False, False, True]
    assert preview.show(with_film(), taken)


def test_reader_never_sees_a_part_of_it(tmp_path: Path, hands: Hands) -> None:
    preview = Preview(tmp_path, monotonic=hands)
    preview.show(empty(), seen())
    end, broken = threading.Event(), list[int]()

    def read() -> None:
        while not end.is_set():
            data = (tmp_path / NAME).read_bytes()
            if not (data.startswith(b"\xff\xd8") and data.endswith(b"\xff\xd9")):
                broken.append(len(data))

    reader = threading.Thread(target=read)
    reader.start()
    for number in range(60):
        hands.now += 1.0
        preview.show(with_film(seed=number), seen())
    end.set()
    reader.join()

    assert broken == []


def test_says_what_is_wrong_where_no_frame_comes(tmp_path: Path, hands: Hands) -> None:
    preview = Preview(tmp_path, monotonic=hands)
    preview.show(with_film(), seen())
    before = look_at(tmp_path / NAME)[:240].mean()
    hands.now = 1.0

    assert preview.say("the camera /dev/video0 is not there")

    dark = look_at(tmp_path / NAME)
    assert dark[:240].mean() < before / 2


def test_what_cannot_be_written_is_left_out(tmp_path: Path, hands: Hands) -> None:
    preview = Preview(tmp_path / "missing", monotonic=hands)

    assert not preview.show(empty(), seen())


def test_not_wanted_is_not_written(tmp_path: Path, hands: Hands) -> None:
    preview = Preview(tmp_path, is_wanted=False, monotonic=hands)

    assert not preview.show(empty(), seen())
    assert list(tmp_path.iterdir()) == []


def test_none_is_left_behind(tmp_path: Path, hands: Hands) -> None:
    preview = Preview(tmp_path, monotonic=hands)
    preview.show(empty(), seen())

    preview.remove()

    assert list(tmp_path.iterdir()) == []
