"""Picamera2 as far as this program uses it, with a sensor that a test sets. ``test_picamera`` holds it to the real one.

It is as strict as the real one: what is not open, not configured or not started gives a ``RuntimeError``, and a request
that is not given back is missed.
"""

# ruff: noqa: ARG002, B006  (the signatures are the real one's)

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

PADDING = 64
BUFFERS = "buffer_count"


class Sensor:
    """What a test sets and looks at.

    Attributes:
        cameras: What ``global_camera_info`` gives.
        frame: What it sees, ``uint8 (height, width)``.
        has_autofocus: Whether the module has it.
        is_unplugged: Whether the next frame never comes.
        is_busy: Whether another program has it.
        owners: How many have opened it.
        requests: Frames handed out and not given back.
        controls: What was set while it ran.
        configuration: That it runs in.
    """

    def __init__(self) -> None:
        self.cameras: list[dict[str, Any]] = [{"Model": "imx708", "Id": "/base/i2c@88000/imx708@1a", "Num": 0}]
        self.frame: NDArray[np.uint8] = np.zeros((480, 640), np.uint8)
        self.has_autofocus = True
        self.is_unplugged = self.is_busy = False
        self.owners = self.requests = self.captured = 0
        self.controls: dict[str, Any] = {}
        self.configuration: dict[str, Any] = {}


class Picamera2:
    """The double."""

    sensor: ClassVar[Sensor] = Sensor()

    def __init__(
        self, camera_num: int = 0, verbose_console: Any = None, tuning: Any = None, allocator: Any = None
    ) -> None:
        if camera_num >= len(self.global_camera_info()):
            raise IndexError("list index out of range")
        if self.sensor.is_busy:
            raise RuntimeError("Failed to acquire camera: Device or resource busy")
        self.sensor.owners += 1
        self._is_started = False
        self._configuration: dict[str, Any] | None = None

    @staticmethod
    def global_camera_info() -> list[dict[str, Any]]:
        return Picamera2.sensor.cameras

    @property
    def camera_controls(self) -> dict[str, Any]:
        return {"ExposureTime": (1, 2, 1)} | ({"AfMode": (0, 2, 0)} if self.sensor.has_autofocus else {})

    def create_still_configuration(
        self,
        main: Any = {},
        lores: Any = None,
        raw: Any = {},
        transform: Any = None,
        colour_space: Any = None,
        buffer_count: int = 1,
        controls: Any = {},
        display: Any = None,
        encode: Any = None,
        queue: bool = True,
        sensor: Any = {},
        use_case: str = "still",
    ) -> dict[str, Any]:
        unknown = set(main) - {"size", "format", "stride", "preserve_ar"}
        if unknown:
            raise RuntimeError(f"Bad key {unknown} in stream configuration")
        return {"main": dict(main), "raw": raw, BUFFERS: buffer_count, "controls": controls, "queue": queue}

    @staticmethod
    def align_configuration(config: Any, optimal: bool = True) -> None:
        width, height = config["main"]["size"]
        config["main"]["size"] = (width - width % (128 if optimal else 2), height - height % 2)

    def configure(self, camera_config: Any = None) -> None:
        if self._is_started:
            raise RuntimeError("Camera must be stopped before configuring")
        self._configuration = self.sensor.configuration = camera_config

    def camera_configuration(self) -> dict[str, Any]:
        assert self._configuration is not None
        return self._configuration

    def start(self, config: Any = None, show_preview: Any = False) -> None:
        if self._configuration is None:
            raise RuntimeError("Camera has not been configured")
        self._is_started = True

    def stop(self) -> None:
        self._is_started = False

    def close(self) -> None:
        if self._is_started:
            raise RuntimeError("Camera must be stopped before it is closed")
        self.sensor.owners -= 1

    def set_controls(self, controls: Any) -> None:
        self.sensor.controls |= controls

    def capture_request(self, wait: Any = None, signal_function: Any = None, flush: Any = None) -> "CompletedRequest":
        if not self._is_started:
            raise RuntimeError("Camera must be started before it gives frames")
        if self.sensor.is_unplugged:
            raise RuntimeError("Camera frontend has timed out")
        if self.sensor.requests >= self.camera_configuration()[BUFFERS]:
            raise AssertionError("all buffers are handed out: the real one would wait for ever")
        self.sensor.requests += 1
        self.sensor.captured += 1
        return CompletedRequest(self.sensor.configuration, self)


class CompletedRequest:
    """The double."""

    def __init__(self, request: Any, picam2: Picamera2) -> None:
        self._configuration, self._camera = request, picam2
        self._is_released = False

    def make_array(self, name: str) -> NDArray[np.uint8]:
        if name != "main" or self._configuration["main"]["format"] != "YUV420":
            raise RuntimeError(f"Stream {name!r} is not defined")
        width, height = self._configuration["main"]["size"]
        planes = np.full((height * 3 // 2, width + PADDING), 128, np.uint8)
        planes[:height, :width] = self._camera.sensor.frame[:height, :width]
        return planes

    def release(self) -> None:
        if self._is_released:
            raise RuntimeError("CompletedRequest: lock now has negative ref_count")
        self._is_released = True
        self._camera.sensor.requests -= 1
