"""The process that owns a camera, with real files, a real stream, and devices that really hang."""

import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from edge_runtime.camera.eye import Ended, Eye, Wanted
from edge_runtime.camera.interface import CameraError, Shot
from tests.edge_runtime.camera.doubles import DEADLINE, empty, network_camera, video, with_film

SHORT = 0.5


def eye(device: object, *, width: int = 1920, height: int = 1080) -> Eye:
    return Eye(Wanted(str(device), width, height))


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_file_gives_each_of_its_frames_once_and_then_ends(tmp_path: Path) -> None:
    camera = eye(video(tmp_path / "v.avi", [empty(), with_film(), empty()], rate=5))
    camera.wait_until_open(DEADLINE)

    shots = [camera.look(DEADLINE) for _ in range(3)]

    assert [shot.seconds for shot in shots] == pytest.approx([0.2, 0.4, 0.6])
    assert [shot.pixels.mean() > 40 for shot in shots] == [False, True, False]
    assert shots[0].pixels.shape == (240, 320)
    with pytest.raises(Ended):
        camera.look(DEADLINE)
    assert camera.close()


def test_stream_gives_its_newest_frame() -> None:
    with network_camera() as source:
        camera = eye(source.url)
        camera.wait_until_open(DEADLINE)
        before = camera.look(DEADLINE)
        source.frame = with_film()
        looked: list[Shot] = []
        until(lambda: looked.append(camera.look(DEADLINE)) or looked[-1].pixels.mean() > 40)  # type: ignore[func-returns-value]
        camera.close()

    assert before.pixels.mean() < 40
    assert before.seconds < looked[-1].seconds <= time.monotonic()


def test_large_frames_of_a_stream_are_reduced_to_the_size_that_is_wanted() -> None:
    with network_camera() as source:
        camera = eye(source.url, width=160, height=160)
        camera.wait_until_open(DEADLINE)
        shot = camera.look(DEADLINE)
        camera.close()

    assert shot.pixels.shape == (120, 160)


def test_device_that_hangs_when_it_is_opened_is_given_up_and_gone(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)  # nobody writes to it, so that opening it waits in the system for ever
    camera = eye(pipe)

    with pytest.raises(CameraError, match=r"no picture for 0\.5 s; check its cable"):
        camera.wait_until_open(SHORT)

    assert camera.close()
    assert camera.process.returncode == -signal.SIGKILL


def test_device_that_hangs_between_two_frames_is_given_up_and_let_go() -> None:
    with network_camera() as source:
        camera = eye(source.url)
        camera.wait_until_open(DEADLINE)
        camera.look(DEADLINE)
        source.state = "hangs"

        def look() -> None:
            while True:  # what had come before it fell silent
                camera.look(SHORT)

        with pytest.raises(CameraError, match=r"no picture for 0\.5 s"):
            look()
        assert camera.close()
        source.state = "sends"
        until(lambda: source.viewers == 0)


def test_stream_that_ends_is_a_camera_that_gives_no_more() -> None:
    with network_camera() as source:
        camera = eye(source.url)
        camera.wait_until_open(DEADLINE)
        source.state = "off"

        def look() -> None:
            while True:
                camera.look(DEADLINE)

        with pytest.raises(CameraError, match="gives no more pictures"):
            look()
        camera.close()


@pytest.mark.parametrize(
    ("device", "says"),
    [
        ("/dev/video63", "is not there; plug it in"),
        ("/dev/null", "gives no pictures"),
        (__file__, "is no video that can be read"),
        ("http://127.0.0.1:9/stream", "cannot be reached"),
    ],
)
def test_each_thing_that_is_no_camera_has_its_sentence(device: str, says: str) -> None:
    camera = eye(device)

    with pytest.raises(CameraError, match=says):
        camera.wait_until_open(DEADLINE)

    camera.close()


def test_crash_of_the_process_is_a_sentence(tmp_path: Path) -> None:
    camera = eye(video(tmp_path / "v.avi", [empty()]))
    camera.wait_until_open(DEADLINE)
    camera.process.send_signal(signal.SIGSEGV)

    with pytest.raises(CameraError, match="crashed the program that reads it"):
        camera.look(DEADLINE)

    camera.close()


def test_password_is_no_argument_of_the_process() -> None:
    camera = eye("rtsp://ward:secret@127.0.0.1:9/stream")
    words = Path(f"/proc/{camera.process.pid}/cmdline").read_bytes()
    camera.close()

    assert b"secret" not in words


def test_end_that_is_asked_for_is_not_waited_out(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    camera = Eye(Wanted(str(pipe), 640, 480), is_over=lambda: True)

    with pytest.raises(InterruptedError):
        camera.wait_until_open(DEADLINE)

    assert camera.close()


def test_what_says_something_else_is_not_believed() -> None:
    babbles = "import os, sys, time; os.write(int(sys.argv[1]), b'f' + b'\\xff' * 40); time.sleep(60)"
    camera = Eye(Wanted("0", 640, 480), command=lambda pipe: (sys.executable, "-c", babbles, str(pipe)))

    with pytest.raises(CameraError, match="says something else than it should"):
        camera.wait_until_open(DEADLINE)

    camera.close()


def test_process_ends_with_the_one_that_asks() -> None:
    with network_camera() as source:
        camera = eye(source.url)
        camera.wait_until_open(DEADLINE)
        assert camera.process.stdin is not None
        camera.process.stdin.close()  # as when this process is killed

        assert camera.process.wait(DEADLINE) == 0
        camera.close()
