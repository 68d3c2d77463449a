"""From a frame to the film's radiograph, and a short form of ``python -m benchmarks.lightbox``."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from edge_runtime.answer import answer
from edge_runtime.clock import SYSTEM_CLOCK
from edge_runtime.film.develop import Film, develop
from edge_runtime.film.tracker import FilmTracker
from edge_runtime.model import bundle, installed
from edge_runtime.model.classifier import Classifier
from edge_runtime.model.engines import open_engine
from tests.edge_runtime.film.scenes import SIZE, Pixels, film, grey, plain, radiograph, still
from tools import lightbox
from tools.lightbox import DISTURBANCES, Disturbance, Shot

SHORT: list[tuple[lightbox.Part, int]] = [("empty", 2), ("moving", 2), ("still", 6), ("moving", 1), ("empty", 1)]
SAMPLES = sorted((Path(__file__).parents[3] / "samples").glob("*.png"))


def developed(shot: Shot) -> Film:
    return develop(grey(shot).astype(np.float32), film(shot))


def likeness(pixels: Pixels, wanted: Pixels) -> float:
    side = (64, 64)
    one, other = (cv2.resize(picture, side, interpolation=cv2.INTER_AREA).ravel() for picture in (pixels, wanted))
    return float(np.corrcoef(one, other)[0, 1])


@pytest.mark.parametrize("monitor", [False, True])
def test_a_film_is_straightened_cropped_and_toned(monitor: bool) -> None:
    shot = still(plain(tilt=15.0, pan=12.0, monitor=monitor, backdrop=0.2, aspect=8 / 7))

    found = developed(shot)

    assert likeness(found.pixels, radiograph()) > 0.97
    assert found.pixels.shape[1] / found.pixels.shape[0] == pytest.approx(8 / 7, rel=0.03)
    assert min(found.pixels.shape) <= 448
    assert np.abs(found.outline - film(shot)).max() < 1.0
    assert (found.quality.grade, found.quality.inverted, found.quality.glare) == ("good", False, 0.0)


def test_a_film_that_shows_black_for_white_is_turned_into_a_positive() -> None:
    found = developed(still(plain(), picture=np.asarray(255 - radiograph(), np.uint8)))

    assert found.quality.inverted
    assert likeness(found.pixels, radiograph()) > 0.9
    assert np.median(found.pixels) == pytest.approx(0.6 * 255, abs=10)


@pytest.mark.parametrize("quarters", [1, 2, 3])
def test_a_film_that_lies_turned_is_put_upright(quarters: int) -> None:
    turned = np.ascontiguousarray(np.rot90(radiograph(), quarters))

    found = developed(still(plain(aspect=turned.shape[1] / turned.shape[0]), picture=turned))

    assert likeness(found.pixels, radiograph()) > 0.97
    assert found.pixels.shape[1] > found.pixels.shape[0]


def test_a_reflection_is_graded_and_filled() -> None:
    found = developed(still(plain(glare=((0.3, 0.4, 0.05, 1.5, 3.0),))))

    assert found.quality.glare == pytest.approx(np.pi * 0.05**2 * 1.5 / 1.3, rel=0.6)
    assert found.quality.grade == "fair"
    # Brighter than around it by no more than a bone would be.
    rows, columns = found.pixels.shape
    assert abs(int(found.pixels[int(0.4 * rows), int(0.3 * columns)]) - 128) < 90


def test_a_film_out_of_focus_is_poor() -> None:
    quality = developed(still(plain(blur=7.0))).quality

    assert (quality.grade, quality.glare) == ("poor", 0.0)


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    opened = bundle.read(installed.find(Path("compact")))
    return Classifier(opened, open_engine(opened, 1))


def label(data: bytes, classifier: Classifier) -> str | None:
    return answer("film", data, classifier, clock=SYSTEM_CLOCK, received=SYSTEM_CLOCK.now()).finding.label


@pytest.mark.parametrize("disturbance", DISTURBANCES)
def test_samples_are_taken_once_and_answered_as_their_files_are(
    disturbance: Disturbance, classifier: Classifier
) -> None:
    tracker, start = FilmTracker(), 0.0
    for seed, sample in enumerate((SAMPLES[seed % 2 * 6 + len(disturbance) % 6] for seed in range(2)), 61):
        data = sample.read_bytes()
        shown = np.asarray(cv2.imread(str(sample), cv2.IMREAD_GRAYSCALE), np.uint8)
        taken = []
        for shot in lightbox.sequence(shown, seed, disturbance, size=SIZE, timeline=SHORT):
            sighting = tracker.look(shot.frame, start + shot.seconds)
            taken += [sighting.film] if sighting.film is not None else []
        start += 10.0
        assert len(taken) == 1, sample.name
        assert label(cv2.imencode(".png", taken[0].pixels)[1].tobytes(), classifier) == label(data, classifier)
