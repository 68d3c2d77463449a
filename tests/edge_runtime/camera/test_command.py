from pathlib import Path

import pytest

from edge_runtime.camera import command
from edge_runtime.cli import main
from edge_runtime.film.tracker import FilmTracker
from tests.edge_runtime.camera.doubles import BrightFilms, empty, look_at, video, with_film


@pytest.fixture
def bright_films(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "FilmTracker", BrightFilms)


@pytest.mark.usefixtures("bright_films")
def test_takes_one_look_and_says_what_it_sees(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file, output = video(tmp_path / "v.avi", [empty(), with_film(), empty()]), tmp_path / "look.jpg"

    status = main(["camera", "--camera", str(file), "--output", str(output)])

    said = capsys.readouterr().out
    assert status == 0
    assert said.splitlines()[-2:] == [
        f"{file} gives pictures of 320 x 240 pixels; the last one is {output}",
        "Taken.",
    ]
    picture = look_at(output)
    assert (picture.max(axis=2) - picture.min(axis=2))[30, 100:220].mean() > 60  # the outline
    assert [path.name for path in tmp_path.iterdir() if path.suffix == ".jpg"] == ["look.jpg"]


def test_with_what_finds_films_for_real(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file, output = video(tmp_path / "v.avi", [empty()] * 3), tmp_path / "look.jpg"

    status = main(["camera", "--camera", str(file), "--output", str(output)])

    assert status == 0
    assert FilmTracker().look(empty(), 0.0).sentence in capsys.readouterr().out


def test_camera_that_cannot_be_used_is_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status = main(["camera", "--camera", "/dev/video63", "--output", str(tmp_path / "look.jpg")])

    assert status == 2
    assert capsys.readouterr().err.startswith("error: the camera /dev/video63 is not there; plug it in")
    assert list(tmp_path.iterdir()) == []


def test_none_to_look_through_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command, "there", lambda: iter(()))

    assert main(["camera"]) == 2
    assert "error: no camera is there; plug one in" in capsys.readouterr().err


def test_those_that_are_there_are_listed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = video(tmp_path / "v.avi", [empty()])
    monkeypatch.setattr(command, "there", lambda: iter([("picamera2", "imx708"), (str(file), "UVC Camera")]))

    main(["camera", "--camera", str(file), "--output", str(tmp_path / "look.jpg")])

    said = capsys.readouterr().out.splitlines()
    assert said[0] == "picamera2     imx708"
    assert said[1] == f"{file}  UVC Camera"


def test_picture_that_cannot_be_written_is_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = video(tmp_path / "v.avi", [empty()])

    status = main(["camera", "--camera", str(file), "--output", str(tmp_path / "missing" / "look.jpg")])

    assert status == 2
    assert "cannot be written (No such file or directory); name another with --output" in capsys.readouterr().err
