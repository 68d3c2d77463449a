"""The measurement itself, on two samples: that it counts what happened."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from benchmarks import lightbox
from benchmarks.lightbox import farthest, overlap
from edge_runtime.film.quality import judge
from edge_runtime.film.tracker import Film, FilmTracker
from tools.lightbox import Shot
from tools.synthetic import draw, load

CORNERS = np.array([[10, 10], [90, 10], [90, 60], [10, 60]], np.float32)
INNER = CORNERS + np.array([[2, 2], [-2, 2], [-2, -2], [2, -2]], np.float32)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, model in load().items():
        (tmp_path / name.upper()).mkdir()
        cv2.imwrite(str(tmp_path / name.upper() / "one.png"), draw(model, 401, label=False))
    return tmp_path


def test_the_films_of_a_disturbance_are_counted(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lightbox.main(["--data", str(folder), "--films", "2", "--disturbance", "moire", "--size", "960", "720"])

    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["moire", "all"]
    assert lines[0].split(maxsplit=1)[1].startswith("found 2 of 2, once 2, twice 0, equal 2, refused 0; corner ")
    assert lines[0].split(maxsplit=1)[1] == lines[1].split(maxsplit=1)[1]


def test_a_film_that_is_never_taken_is_not_found(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FilmTracker, "_take", lambda tracker, now, _seconds: tracker._say(now, "holding"))

    lightbox.main(["--data", str(folder), "--films", "2", "--disturbance", "moire", "--size", "480", "360", "--show"])

    assert "found 0 of 2, once 0, twice 0, equal 0" in capsys.readouterr().out


def test_an_outline_is_measured_by_the_film_or_the_radiograph_in_it() -> None:
    shot = Shot(np.zeros((80, 100, 3), np.uint8), 0.0, "still", CORNERS, INNER)

    def film(corners: np.ndarray) -> Film:
        return Film(np.zeros((8, 8), np.uint8), judge(1.0, 0.0, False), np.asarray(corners, np.float32))

    assert (farthest(film(CORNERS), shot), overlap(film(CORNERS), shot)) == (0.0, 1.0)
    assert (farthest(film(INNER), shot), overlap(film(INNER), shot)) == (0.0, 1.0)
    assert farthest(film(CORNERS + 3), shot) == pytest.approx(np.hypot(3, 3))
    assert overlap(film(CORNERS + np.array([40, 0])), shot) == pytest.approx(1 / 3, abs=0.01)
