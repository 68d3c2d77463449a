from pathlib import Path

import cv2
import numpy as np
import pytest

from convert.calibration import Image
from convert.card import cases, gallery
from edge_runtime.errors import UsageError
from edge_runtime.model.classifier import Classifier
from tests.engines import ScriptedEngine, bundle_without_model


@pytest.fixture
def classifier() -> Classifier:
    """Calls everything pneumonia."""
    return Classifier(bundle_without_model(), ScriptedEngine([-8, 8, 0]))


@pytest.fixture
def images(tmp_path: Path) -> list[Image]:
    """Two normal ones, a bacterial one and one that is no picture."""
    files = {
        "NORMAL/a.png": "normal",
        "NORMAL/b.png": "normal",
        "PNEUMONIA/c.png": "bacterial",
        "NORMAL/d.png": "normal",
    }
    for name in files:
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        cv2.imwrite(str(path), np.full((80, 120), 100, np.uint8))
    (tmp_path / "NORMAL/d.png").write_bytes(b"no picture")
    return [Image(tmp_path / name, f"test/{name}", "0" * 64, label) for name, label in files.items()]


def test_the_sheet_shows_what_is_wrong_and_what_was_refused(
    classifier: Classifier, images: list[Image], tmp_path: Path
) -> None:
    path = tmp_path / "new folder" / "failures.png"

    count = gallery.write(path, list(cases.run(images, classifier)), classifier)

    picture = cv2.imread(str(path))
    assert count == 3
    assert picture is not None
    assert picture.shape[1] > 3 * 640 > picture.shape[0]
    colourful = np.ptp(picture.astype(int), axis=2) > 20
    assert colourful[:, :1300].any(), "a heat map"
    assert not colourful[:, 1310:].any(), "a file that is no picture has none"


def test_without_a_failure_there_is_a_sheet_that_says_so(
    classifier: Classifier, images: list[Image], tmp_path: Path
) -> None:
    count = gallery.write(tmp_path / "failures.png", list(cases.run(images[2:3], classifier)), classifier)

    assert count == 0
    assert cv2.imread(str(tmp_path / "failures.png")) is not None


def test_a_place_that_cannot_be_written_is_one_sentence(classifier: Classifier, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(UsageError, match=r"cannot be written .*--failures"):
        gallery.write(tmp_path / "file" / "failures.png", [], classifier)


def test_many_tiles_stand_in_rows_of_four() -> None:
    tiles = [np.full((10, 20, 3), (value, 0, 0), np.uint8) for value in range(100, 106)]  # no colour of the letters

    picture = gallery.sheet(tiles)

    assert all((picture == (value, 0, 0)).all(axis=2).sum() == 200 for value in range(100, 106))
    assert 4 * 20 < picture.shape[1] < 5 * 20 + 60
