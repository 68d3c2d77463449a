"""Cameras on a Raspberry Pi's camera port: with a double that has the real class's signatures, for want of a camera."""

import importlib.util
import json
import os
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from edge_runtime.camera.devices.picamera import PiCamera, models
from edge_runtime.camera.interface import CameraError
from tests.edge_runtime.camera.devices import picamera2_double, signatures
from tests.edge_runtime.camera.devices.picamera2_double import Picamera2, Sensor

DOUBLES: dict[str, type] = {
    "Picamera2": picamera2_double.Picamera2,
    "CompletedRequest": picamera2_double.CompletedRequest,
}
RECORD = json.loads(signatures.RECORDED.read_text())


def real(name: str) -> dict[str, Any]:
    """The real class's signatures: of the installed one, else as they were recorded."""
    methods = tuple(RECORD["classes"][name])
    found = importlib.util.find_spec("picamera2")
    if found is None or not found.submodule_search_locations:
        recorded: dict[str, Any] = RECORD["classes"][name]
        return recorded
    for file, used in signatures.USED.items():
        if name in used:
            path = os.path.join(next(iter(found.submodule_search_locations)), os.path.basename(file))  # noqa: PTH118, PTH119
            with open(path, encoding="utf-8") as source:  # noqa: PTH123
                return signatures.of_source(source.read(), name, methods)
    raise AssertionError(name)


@pytest.mark.parametrize("name", DOUBLES)
def test_the_double_has_the_signatures_of_the_real_class(name: str) -> None:
    expected = real(name)

    assert signatures.of_class(DOUBLES[name], tuple(expected)) == expected


def test_record_says_which_version_it_is_of_and_holds_all_that_is_used() -> None:
    assert RECORD["version"] == "0.3.38"
    for used in signatures.USED.values():
        for name, methods in used.items():
            assert tuple(RECORD["classes"][name]) == methods


@pytest.fixture
def sensor(monkeypatch: pytest.MonkeyPatch) -> Iterator[Sensor]:
    sensor = Sensor()
    sensor.frame = np.random.default_rng(0).integers(0, 256, (1080, 1920), np.uint8)
    monkeypatch.setattr(Picamera2, "sensor", sensor)
    yield sensor
    assert sensor.owners == 0


MODULE = SimpleNamespace(Picamera2=Picamera2)


def camera(width: int = 1920, height: int = 1080, number: int = 0) -> PiCamera:
    return PiCamera(number, width, height, MODULE)


def test_frames_are_the_grey_plane_without_padding_and_colours(sensor: Sensor) -> None:
    opened = camera()
    opened.open()

    seconds = opened.wait()
    pixels = opened.pixels()
    opened.close()

    assert np.array_equal(pixels, sensor.frame)
    assert seconds is not None
    assert seconds > 0


def test_size_that_the_camera_cannot_do_becomes_the_next_that_it_can(sensor: Sensor) -> None:
    opened = camera(1000, 751)
    opened.open()
    opened.wait()

    assert opened.pixels().shape == (750, 896)
    opened.close()
    assert sensor.requests == 0


def test_configuration_is_of_still_quality_at_a_few_frames_a_second(sensor: Sensor) -> None:
    opened = camera()
    opened.open()
    opened.close()

    assert sensor.configuration["controls"] == {"FrameDurationLimits": (200_000, 200_000)}
    assert sensor.configuration["raw"] is None
    assert sensor.configuration["queue"] is False


def test_exposure_settles_before_the_first_frame(sensor: Sensor) -> None:
    opened = camera()
    opened.open()

    assert sensor.captured == 10
    assert sensor.requests == 0
    opened.close()


@pytest.mark.parametrize(("has", "controls"), [(True, {"AfMode": 2}), (False, {})])
def test_continuous_autofocus_where_the_module_has_it(sensor: Sensor, has: bool, controls: dict[str, int]) -> None:
    sensor.has_autofocus = has
    opened = camera()

    opened.open()
    opened.close()

    assert sensor.controls == controls


def test_buffers_are_given_back_before_the_next_frame(sensor: Sensor) -> None:
    opened = camera()
    opened.open()
    for _ in range(10):
        opened.wait()
    held = sensor.requests
    opened.close()

    assert held == 1
    assert sensor.requests == 0


def test_camera_that_is_not_there_has_its_sentence(sensor: Sensor) -> None:
    with pytest.raises(CameraError, match=r"is not there \(there are 1, from 0 on\)"):
        camera(number=1).open()
    sensor.cameras = []
    with pytest.raises(CameraError, match=r"is not there \(there is none\); switch the power off and check its ribbon"):
        camera().open()


def test_camera_that_another_program_has_has_its_sentence(sensor: Sensor) -> None:
    sensor.is_busy = True

    with pytest.raises(CameraError, match=r"cannot be used \(Failed to acquire camera.*another program may be using"):
        camera().open()


def test_camera_that_falls_silent_has_its_sentence(sensor: Sensor) -> None:
    opened = camera()
    opened.open()
    sensor.is_unplugged = True

    with pytest.raises(CameraError, match="gives no more pictures"):
        opened.wait()

    opened.close()


def test_library_that_is_missing_has_its_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "picamera2", None)

    with pytest.raises(CameraError, match="needs Picamera2; 'sudo apt install python3-picamera2'"):
        PiCamera(0, 640, 480).open()
    assert models() == []


def test_cameras_at_the_usb_are_not_listed_twice(sensor: Sensor) -> None:
    sensor.cameras.append({"Model": "UVC Camera", "Id": "/base/usb@7e980000-1:1.0-046d:0825", "Num": 1})

    assert models(MODULE) == [(0, "imx708")]
