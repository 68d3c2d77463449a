"""Cameras at the USB, cameras in the network and video files, by OpenCV."""

import errno
import os
import stat
import time
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_runtime.camera.choice import Choice
from edge_runtime.camera.interface import CameraError

# Some frames a second are looked at. More only take the bus; fewer than these many a camera does not offer.
_FRAMES_A_SECOND: Final = 10
_NETWORK_MILLISECONDS: Final = 10_000
_LIMITS: Final = [
    *(cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, _NETWORK_MILLISECONDS),
    *(cv2.CAP_PROP_READ_TIMEOUT_MSEC, _NETWORK_MILLISECONDS),
]


class OpenCvCamera:
    """A V4L2 device, a stream or a file.

    Args:
        choice: Which.
        width: Of the frames, in pixels, for a device as near as it can. Larger ones, but for a file's, are reduced.
        height: Likewise.
    """

    def __init__(self, choice: Choice, width: int, height: int) -> None:
        self.is_live = choice.kind != "file"
        self._choice, self._width, self._height = choice, width, height
        self._capture: cv2.VideoCapture | None = None
        self._count = 0

    def open(self) -> None:
        place = self._choice.place
        if self._choice.kind == "usb":
            _probe(place)
            capture = cv2.VideoCapture(place, cv2.CAP_V4L2)
            # Compressed first: a full-size picture takes all of the bus otherwise, and comes every second or so.
            capture.set(cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*"MJPG"))
            capture.set(cv2.CAP_PROP_FRAME_WIDTH, self._width)
            capture.set(cv2.CAP_PROP_FRAME_HEIGHT, self._height)
            capture.set(cv2.CAP_PROP_FPS, _FRAMES_A_SECOND)
            capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)
        elif self._choice.kind == "network":
            capture = cv2.VideoCapture(place, cv2.CAP_FFMPEG, _LIMITS)
        else:
            capture = cv2.VideoCapture(place)
        if not capture.isOpened():
            raise CameraError(
                {
                    "usb": "gives no pictures; another program may be using it, or it is no camera",
                    "network": "cannot be reached, or gives no video; check its address and that it is on",
                    "file": "is no video that can be read",
                }[self._choice.kind]
            )
        self._capture = capture

    def wait(self) -> float | None:
        assert self._capture is not None
        if not self._capture.grab():
            if not self.is_live:
                return None
            raise CameraError("gives no more pictures; check its cable and its power")
        if self.is_live:
            return time.monotonic()
        self._count += 1
        rate = self._capture.get(cv2.CAP_PROP_FPS)
        return self._count / (rate if rate > 0 else _FRAMES_A_SECOND)

    def pixels(self) -> NDArray[np.uint8]:
        assert self._capture is not None
        done, frame = self._capture.retrieve()
        if not done or frame is None or not frame.size:
            raise CameraError("gives pictures that cannot be read; it may be damaged, or its connection too slow")
        grey = np.asarray(frame if frame.ndim == 2 else cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY), np.uint8)
        height, width = grey.shape
        by = min(self._width / width, self._height / height)
        if not self.is_live or by >= 1.0:
            return grey
        size = (max(round(width * by), 1), max(round(height * by), 1))
        return np.asarray(cv2.resize(grey, size, interpolation=cv2.INTER_AREA), np.uint8)

    def close(self) -> None:
        if self._capture is not None:
            self._capture.release()
            self._capture = None


def _probe(path: str) -> None:
    """Say what is wrong with a device, which OpenCV does not."""
    try:
        handle = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise CameraError(_WORDS.get(error.errno or 0, f"cannot be opened ({error.strerror})")) from error
    try:
        if not stat.S_ISCHR(os.fstat(handle).st_mode):
            raise CameraError("is no device")
    finally:
        os.close(handle)


_GONE: Final = "is not there; plug it in, or see with 'edge-pneumo camera' what is"
_FORBIDDEN: Final = (
    "may not be used by this user; 'sudo usermod -aG video NAME' and log in anew, or for the service install it again "
    "with 'sudo edge-pneumo service install'"
)
_WORDS: Final = {
    errno.ENOENT: _GONE,
    errno.ENODEV: _GONE,
    errno.ENXIO: _GONE,
    errno.EACCES: _FORBIDDEN,
    errno.EPERM: _FORBIDDEN,
    errno.EBUSY: "is in use by another program; end that",
}
