"""The process that owns a camera, and the one that asks it.

OpenCV and libcamera wait in C for a frame, some drivers for ever, and a thread that waits there cannot be ended. A
process can: so the camera is opened and read in one of its own. It ends when the one that asks does.

It is asked with one byte for each frame, and answers with the newest; on the way is never more than one.
"""

import contextlib
import ctypes
import os
import resource
import select
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

import msgspec
import numpy as np

from edge_runtime.camera import choice
from edge_runtime.camera.interface import Camera, CameraError, Shot

_HEADER: Final = struct.Struct("<cIId")  # kind, height, width or length, seconds
_OPENED, _FRAME, _FAILED, _ENDED = b"o", b"f", b"x", b"e"
_MOST_PIXELS: Final = 1 << 26
_MOST_SAID: Final = 4096
_ASK: Final = b"?"
_TICK_MILLISECONDS: Final = 100
_END_SECONDS: Final = 2.0
_PR_SET_PDEATHSIG: Final = 1
_ENVIRONMENT: Final = {
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "MALLOC_ARENA_MAX": "1",
    "OPENCV_LOG_LEVEL": "SILENT",
    "OPENCV_FFMPEG_LOGLEVEL": "-8",
    "LIBCAMERA_LOG_LEVELS": "*:ERROR",
}
_START: Final = "import sys; sys.path[:] = {path!r}; from edge_runtime.camera import eye; eye.main({pipe})"


class Wanted(msgspec.Struct, frozen=True):
    """What the process is told first: a camera's word, which may hold a password and so is no argument, and a size."""

    device: str
    width: int
    height: int


class Ended(Exception):  # noqa: N818 (it is no error)
    """The video file is at its end."""


def eye_command(pipe: int) -> Sequence[str]:
    """What starts the process, given the descriptor that it answers on."""
    return sys.executable, "-S", "-E", "-c", _START.format(path=sys.path, pipe=pipe)


class Eye:
    """A camera in a process of its own.

    Args:
        wanted: Which, and how large its frames are to be.
        command: What starts the process.
        monotonic: Seconds.
        is_over: Asked some times a second while it is waited for; ends that.

    Raises:
        CameraError: No process can be started.
    """

    def __init__(
        self,
        wanted: Wanted,
        *,
        command: Callable[[int], Sequence[str]] = eye_command,
        monotonic: Callable[[], float] = time.monotonic,
        is_over: Callable[[], bool] = lambda: False,
    ) -> None:
        self._monotonic, self._is_over = monotonic, is_over
        self._heard, told = os.pipe2(os.O_CLOEXEC)
        try:
            self.process = subprocess.Popen(
                command(told),
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                bufsize=0,
                pass_fds=(told,),
                env=os.environ | _ENVIRONMENT,
            )
        except (OSError, subprocess.SubprocessError) as error:
            os.close(self._heard)
            raise CameraError(f"cannot be used: no process can be started for it ({error})") from error
        finally:
            os.close(told)
        self._tell(msgspec.json.encode(wanted) + b"\n")

    def wait_until_open(self, seconds: float) -> None:
        """Return when the camera is open.

        Raises:
            CameraError: It cannot be opened, or has not been after so many seconds.
            InterruptedError: ``is_over``.
        """
        self._next(_OPENED, seconds)

    def look(self, seconds: float) -> Shot:
        """The newest frame; of a file the next one.

        Raises:
            CameraError: There is none, or has not been after so many seconds.
            Ended: The file has ended.
            InterruptedError: ``is_over``.
        """
        self._tell(_ASK)
        return self._next(_FRAME, seconds)

    def close(self) -> bool:
        """End the process; whether it has ended, and so let the device go. May be called again."""
        if self.process.stdin is not None:
            self.process.stdin.close()
        if self._heard >= 0:
            os.close(self._heard)
            self._heard = -1
        self.process.kill()
        try:
            self.process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            return False  # in its driver, where no signal reaches it
        return True

    def _tell(self, words: bytes) -> None:
        assert self.process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # why it ended is heard when it is listened to
            self.process.stdin.write(words)

    def _next(self, expected: bytes, seconds: float) -> Shot:
        until = self._monotonic() + seconds
        kind, height, width, when = _HEADER.unpack(self._read(_HEADER.size, until, seconds))
        if kind == _FAILED:
            raise CameraError(_one_line(self._read(min(width, _MOST_SAID), until, seconds).decode(errors="replace")))
        if kind == _ENDED:
            raise Ended
        if kind != expected or height * width > _MOST_PIXELS:
            raise CameraError("cannot be used: its process says something else than it should")
        pixels = np.frombuffer(self._read(height * width, until, seconds), np.uint8).reshape(height, width)
        return Shot(pixels, when)

    def _read(self, size: int, until: float, seconds: float) -> bytearray:
        data = bytearray(size)
        left = memoryview(data)
        poll = select.poll()
        poll.register(self._heard, select.POLLIN)
        while left:
            if not poll.poll(_TICK_MILLISECONDS):
                if self._is_over():
                    raise InterruptedError
                if self._monotonic() >= until:
                    raise CameraError(f"has given no picture for {seconds:g} s; check its cable and its power")
                continue
            count = os.readv(self._heard, [left])
            if not count:
                raise CameraError("crashed the program that reads it; if that lasts, try another cable or camera")
            left = left[count:]
        return data


# In the process itself


def main(pipe: int) -> None:
    """Be the process: open the camera, answer requests until there are no more.

    Args:
        pipe: Descriptor to answer on.
    """
    _withdraw()
    line = b""
    while not line.endswith(b"\n"):
        byte = os.read(0, 1)
        if not byte:
            return
        line += byte
    wanted = msgspec.json.decode(line, type=Wanted)
    from edge_runtime.camera.devices import camera_of

    camera = None
    try:
        camera = camera_of(choice.parse(wanted.device), wanted.width, wanted.height)
        camera.open()
        _say(pipe, _OPENED)
        for shot in _shots(camera):
            _say(pipe, _FRAME, shot)
        else:
            _say(pipe, _ENDED)
    except Exception as error:
        said = str(error) if isinstance(error, CameraError) else f"fails ({type(error).__name__}: {error})"
        data = said.encode(errors="backslashreplace")[:_MOST_SAID]
        os.write(pipe, _HEADER.pack(_FAILED, 0, len(data), 0.0) + data)
    finally:
        if camera is not None:
            with contextlib.suppress(Exception):
                camera.close()


def _shots(camera: Camera) -> Iterator[Shot]:
    """A frame for each request: of a camera, which goes on meanwhile, the next that comes; of a file the next."""
    while True:
        if not camera.is_live and not _is_asked(block=True):
            return
        seconds = camera.wait()
        if seconds is None:
            return
        if not camera.is_live or _is_asked(block=False):
            yield Shot(camera.pixels(), seconds)


def _is_asked(*, block: bool) -> bool:
    if not block and not select.select([0], [], [], 0)[0]:
        return False
    if not os.read(0, 1):
        raise SystemExit  # who asked is gone
    return True


def _say(pipe: int, kind: bytes, shot: Shot | None = None) -> None:
    pixels = np.zeros((0, 0), np.uint8) if shot is None else np.ascontiguousarray(shot.pixels)
    header = _HEADER.pack(kind, *pixels.shape, 0.0 if shot is None else shot.seconds)
    for part in (header, pixels.data.cast("B") if pixels.size else b""):
        left = memoryview(part)
        while left:
            left = left[os.write(pipe, left) :]


def _withdraw() -> None:
    """Outlive no parent, leave no core with pictures on the disk, and go early where memory is short."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("900")


def _one_line(sentence: str) -> str:
    return "".join(character if character.isprintable() else " " for character in sentence)
