"""Cameras on a Raspberry Pi's camera port, by Picamera2, which is loaded here and only where it is asked for.

Picamera2 comes with Raspberry Pi OS and not from a package index: it needs the system's libcamera.
"""

import importlib
import time
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from edge_runtime.camera.interface import CameraError

_FRAME_MICROSECONDS: Final = 200_000
"""Between two frames. So long may one be exposed, which a dim light box needs, and nobody looks at more."""

# Exposure and white balance begin anywhere; libcamera takes some ten frames to find them.
_SETTLING_FRAMES: Final = 10
_CONTINUOUS: Final = 2  # libcamera.controls.AfModeEnum.Continuous
_BUFFERS: Final = 3
_MISSING: Final = (
    "needs Picamera2; 'sudo apt install python3-picamera2', and an environment made with --system-site-packages"
)


class PiCamera:
    """One of the cameras on the camera ports.

    Still-quality frames, some a second, as grey pixels: of YUV 4:2:0 the first plane is just that. Continuous autofocus
    where the module has it.

    Args:
        number: Which, from 0.
        width: Of the frames, in pixels, as near as the camera can.
        height: Likewise.
        module: ``picamera2`` by default.
    """

    is_live = True

    def __init__(self, number: int, width: int, height: int, module: Any = None) -> None:
        self._number, self._size, self._module = number, (width, height), module
        self._camera: Any = None
        self._request: Any = None

    def open(self) -> None:
        module = self._module or _picamera2()
        found = module.Picamera2.global_camera_info()
        if self._number >= len(found):
            there = f"there are {len(found)}, from 0 on" if found else "there is none"
            raise CameraError(f"is not there ({there}); switch the power off and check its ribbon cable")
        try:
            camera = self._camera = module.Picamera2(self._number)
            configuration = camera.create_still_configuration(
                main={"size": self._size, "format": "YUV420"},
                raw=None,  # its buffers would take more memory than all the others
                buffer_count=_BUFFERS,
                controls={"FrameDurationLimits": (_FRAME_MICROSECONDS, _FRAME_MICROSECONDS)},
                queue=False,
            )
            module.Picamera2.align_configuration(configuration)
            camera.configure(configuration)
            self._size = tuple(camera.camera_configuration()["main"]["size"])
            camera.start()
            if "AfMode" in camera.camera_controls:
                camera.set_controls({"AfMode": _CONTINUOUS})
            for _ in range(_SETTLING_FRAMES):
                camera.capture_request().release()
        except (RuntimeError, OSError, IndexError) as error:
            raise CameraError(f"cannot be used ({error}); another program may be using it") from error

    def wait(self) -> float:
        self._give_back()
        try:
            self._request = self._camera.capture_request()
        except (RuntimeError, OSError) as error:
            raise CameraError(f"gives no more pictures ({error}); check its ribbon cable") from error
        return time.monotonic()

    def pixels(self) -> NDArray[np.uint8]:
        width, height = self._size
        planes = np.asarray(self._request.make_array("main"), np.uint8)
        # Rows may be padded, and the two colour planes lie below.
        return np.ascontiguousarray(planes[:height, :width])

    def close(self) -> None:
        self._give_back()
        if self._camera is not None:
            self._camera.stop()
            self._camera.close()
            self._camera = None

    def _give_back(self) -> None:
        if self._request is not None:
            self._request.release()
            self._request = None


def models(module: Any = None) -> list[tuple[int, str]]:
    """The cameras on the camera ports: their numbers, and what they are called; none where Picamera2 is not."""
    try:
        found = (module or _picamera2()).Picamera2.global_camera_info()
    except CameraError:
        return []
    # libcamera counts those at the USB, too, which are opened as V4L2 devices.
    return [(number, str(one.get("Model", "camera"))) for number, one in enumerate(found) if "/usb" not in one["Id"]]


def _picamera2() -> Any:
    try:
        return importlib.import_module("picamera2")
    except (ImportError, OSError, ValueError) as error:  # the last where a part of it was built for another numpy
        raise CameraError(_MISSING) from error
