import errno
import json
import os
import sqlite3
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest

from edge_runtime.camera import chunk, photographer
from edge_runtime.camera.photographer import Photographer, Picture, film_png
from edge_runtime.film.tracker import Sighting
from edge_runtime.radiograph import careful
from edge_runtime.watch.disposal import rename_to_new
from tests.edge_runtime.camera.doubles import CORNERS, BrightFilms, look_at, with_film

NOW = datetime(2026, 3, 4, 9, 30, 5)
FILM, PHOTOGRAPH = "film-20260304-093005-1.png", "film-20260304-093005-1.png.photograph.jpg"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "films").mkdir()
    return tmp_path / "films"


@pytest.fixture
def results(tmp_path: Path) -> Path:
    (tmp_path / "films-results").mkdir()
    return tmp_path / "films-results"


def sighting(seed: int = 0) -> Sighting:
    found = BrightFilms().look(with_film(seed=seed), 0.0)
    assert found.film is not None
    return found


def take(by: Photographer, seed: int = 0) -> Picture:
    return by.take(with_film(seed=seed), sighting(seed), "/dev/video0")


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_film_lies_in_the_folder_and_its_photograph_beside_the_finding_to_be(folder: Path, results: Path) -> None:
    told: list[bytes] = []
    by = Photographer(folder, results, kept=told.append, now=lambda: NOW)

    by.keep(take(by))

    assert (names(folder), names(results), told) == ([FILM], [PHOTOGRAPH], [FILM.encode()])
    data = (folder / FILM).read_bytes()
    pixels = careful.decode(data)
    taken = sighting().film
    assert taken is not None
    assert np.array_equal(pixels, taken.pixels)
    known = chunk.read(data)
    assert known is not None
    assert (known.sharpness, known.glare, known.inverted, known.grade, known.camera) == (
        *(0.5, 0.02, False, "good"),
        "/dev/video0",
    )


def test_photograph_is_whole_with_the_outline_in_colour(folder: Path, results: Path) -> None:
    by = Photographer(folder, results, now=lambda: NOW)
    by.keep(take(by))

    picture = look_at(results / PHOTOGRAPH)

    colour = picture.max(axis=2) - picture.min(axis=2)
    x, y = CORNERS.mean(axis=0).astype(int)
    assert picture.shape[:2] == (240, 320)
    assert colour[30, 100:220].mean() > 60  # along the upper edge
    assert colour[y, x] < 20  # and not within


def test_photograph_is_there_before_the_film_and_neither_is_ever_half(
    folder: Path, results: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[str] = []
    rename, fsync, write = rename_to_new, os.fsync, os.write

    def renamed(source: int, name: bytes, target: int, new: bytes) -> None:
        rename(source, name, target, new)
        steps.append(f"named {os.fsdecode(new)}")

    def synced(handle: int) -> None:
        fsync(handle)
        path = Path(f"/proc/self/fd/{handle}").readlink()
        steps.append(f"forced {path.name}")
        # Nothing has a name that a person or the watcher heeds before it is on the disk.
        if path.name.startswith("."):
            assert not any((place / name).exists() for place, name in ((folder, FILM),))

    monkeypatch.setattr(photographer, "rename_to_new", renamed)
    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(os, "write", lambda handle, data: write(handle, data[:1000]))
    by = Photographer(folder, results, kept=lambda name: steps.append(f"told {name.decode()}"), now=lambda: NOW)

    by.keep(take(by))

    hidden = ".edge-pneumo-film.unfinished"
    assert steps == [
        f"forced {hidden}",
        f"named {PHOTOGRAPH}",
        "forced films-results",
        f"forced {hidden}",
        f"named {FILM}",
        "forced films",
        f"told {FILM}",
    ]


@pytest.mark.parametrize("taken", ["film", "finding", "photograph"])
def test_name_that_anything_has_already_is_not_used(folder: Path, results: Path, taken: str) -> None:
    file = {"film": folder / FILM, "finding": results / f"{FILM}.json", "photograph": results / PHOTOGRAPH}[taken]
    file.write_bytes(b"somebody's")
    by = Photographer(folder, results, now=lambda: NOW)

    by.keep(take(by))

    assert file.read_bytes() == b"somebody's"
    assert "film-20260304-093005-2.png" in names(folder)
    assert "film-20260304-093005-2.png.photograph.jpg" in names(results)


def test_name_that_somebody_takes_in_the_meantime_is_left_to_him(
    folder: Path, results: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rename = rename_to_new

    def late(source: int, name: bytes, target: int, new: bytes) -> None:
        if new == FILM.encode():
            (folder / FILM).write_bytes(b"somebody's")
        rename(source, name, target, new)

    monkeypatch.setattr(photographer, "rename_to_new", late)
    by = Photographer(folder, results, now=lambda: NOW)

    by.keep(take(by))

    assert (folder / FILM).read_bytes() == b"somebody's"
    assert names(folder) == [FILM, "film-20260304-093005-2.png"]
    assert names(results) == ["film-20260304-093005-2.png.photograph.jpg"]


@pytest.mark.parametrize("refused", range(1, 5))
def test_what_the_disk_refuses_leaves_nothing_half_and_goes_on_where_it_was(
    folder: Path, results: Path, refused: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    fsync, calls = os.fsync, 0

    def full(handle: int) -> None:
        nonlocal calls
        calls += 1
        if calls == refused:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        fsync(handle)

    told: list[bytes] = []
    by = Photographer(folder, results, kept=told.append, now=lambda: NOW)
    picture = take(by)
    monkeypatch.setattr(os, "fsync", full)

    with pytest.raises(OSError, match="No space"):
        by.keep(picture)
    hidden = [name for place in (folder, results) for name in names(place) if name.startswith(".")]
    by.keep(picture)

    assert hidden == []
    assert (names(folder), names(results), told) == ([FILM], [PHOTOGRAPH], [FILM.encode()])


def test_what_power_cuts_have_left_is_removed_and_nothing_else(folder: Path, results: Path) -> None:
    kept = ["film-1.png.photograph.jpg", "mine.photograph.jpg", "film-20260304-093005-7.png.json"]
    orphan, answered, waiting, found = (f"film-20260304-093005-{number}.png" for number in (1, 5, 6, 7))
    for name in kept:
        (results / name).write_bytes(b"")
    for name in (orphan, answered, waiting, found):
        (results / f"{name}.photograph.jpg").write_bytes(b"")
    for place in (folder, results):
        (place / ".edge-pneumo-film.unfinished").write_bytes(b"")
    (folder / waiting).write_bytes(b"")
    (folder / "film.png").write_bytes(b"")

    Photographer(folder, results).clear(lambda name: name == answered.encode())

    assert names(folder) == sorted([waiting, "film.png"])
    assert names(results) == sorted([*kept, *(f"{name}.photograph.jpg" for name in (answered, waiting, found))])


def test_what_the_journal_cannot_say_just_now_stays(folder: Path, results: Path) -> None:
    (results / PHOTOGRAPH).write_bytes(b"")

    def busy(_: bytes) -> bool:
        raise sqlite3.OperationalError("database is locked")

    Photographer(folder, results).clear(busy)

    assert names(results) == [PHOTOGRAPH]


def test_film_carries_what_is_known_of_it() -> None:
    film = sighting().film
    assert film is not None

    data = film_png(film, "x" * 300)

    known = chunk.read(data)
    assert known is not None
    assert len(known.camera) == 200
    assert json.dumps("edge-pneumo-film")[1:-1].encode() in data
