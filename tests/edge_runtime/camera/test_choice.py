import os
from pathlib import Path

import pytest

from edge_runtime.camera.choice import has_password, parse, shown, there
from edge_runtime.errors import UsageError


@pytest.mark.parametrize(
    ("word", "kind", "name"),
    [
        ("picamera2", "picamera2", "picamera2:0"),
        ("picamera2:1", "picamera2", "picamera2:1"),
        ("0", "usb", "/dev/video0"),
        ("12", "usb", "/dev/video12"),
        ("/dev/video3", "usb", "/dev/video3"),
        ("/dev/v4l/by-id/usb-camera", "usb", "/dev/v4l/by-id/usb-camera"),
        ("rtsp://192.168.1.20/stream", "network", "rtsp://192.168.1.20/stream"),
        ("http://camera.local:8080/video", "network", "http://camera.local:8080/video"),
    ],
)
def test_words_for_cameras(word: str, kind: str, name: str) -> None:
    found = parse(word)

    assert (found.kind, found.name, found.word) == (kind, name, word)


def test_number_of_a_camera_port() -> None:
    assert (parse("picamera2").number, parse("picamera2:1").number) == (0, 1)


def test_video_file_goes_by_its_name_alone(tmp_path: Path) -> None:
    file = tmp_path / "ward 3.avi"
    file.write_bytes(b"")

    assert (parse(str(file)).kind, parse(str(file)).name) == ("file", "ward 3.avi")


@pytest.mark.parametrize(
    ("word", "says"),
    [
        ("picamera", "did you mean picamera2"),
        ("pi camera 2", "did you mean picamera2"),
        ("missing.avi", "name one: picamera2, a number such as 0"),
        ("rtsp://", "is no address of a camera"),
        ("ftp://192.168.1.20/x", "is no address of a camera"),
        ("rtsp://192.168.1.20:port/x", "is no address of a camera"),
        (os.sep, "is a folder and no camera"),
        ("-1", "there is no camera"),
    ],
)
def test_what_names_no_camera_is_one_sentence_with_a_way_out(word: str, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        parse(word)


def test_password_is_shown_to_nobody() -> None:
    word = "rtsp://ward:se/cret@192.168.1.20/stream?token=secret"
    plain = "rtsp://ward:secret@192.168.1.20/stream?token=secret"

    assert has_password(plain)
    assert "secret" not in parse(plain).name
    assert shown(plain) == "rtsp://192.168.1.20/stream?token=secret"
    with pytest.raises(UsageError) as caught:  # a slash belongs escaped into a password
        parse(word.replace("rtsp", "rtp"))
    assert "cret@" not in str(caught.value)


def test_machine_without_cameras_has_none() -> None:
    if any(Path("/dev").glob("video*")):
        pytest.skip("this machine has a camera")
    assert list(there()) == []
