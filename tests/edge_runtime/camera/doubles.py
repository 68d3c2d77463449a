"""What stands in the place of cameras and of what knows films."""

import http.server
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_runtime.camera.eye import Wanted
from edge_runtime.camera.interface import CameraError, Shot
from edge_runtime.film.quality import Grade, Quality
from edge_runtime.film.tracker import Film, Sighting

DEADLINE = 60.0
SIZE = (320, 240)
Pixels = NDArray[np.uint8]


def empty() -> Pixels:
    """A frame without a film: ``uint8 (240, 320)``."""
    return np.full((SIZE[1], SIZE[0]), 20, np.uint8)


def with_film(level: int = 200, seed: int = 0) -> Pixels:
    """A frame with one: a bright rectangle, noisy, each seed another picture."""
    frame = empty()
    noise = np.random.default_rng(seed).normal(level, 12, (180, 160))
    frame[30:210, 80:240] = np.clip(noise, 0, 255).astype(np.uint8)
    return frame


CORNERS = np.array([[80, 30], [240, 30], [240, 210], [80, 210]], np.float32)


class BrightFilms:
    """Takes what is bright in the middle of a frame for a film, once until it is dark there."""

    def __init__(self, still: float = 0.7, *, grade: Grade = "good") -> None:
        self.still, self._grade = still, grade
        self._has_taken = False

    def look(self, frame: Pixels, seconds: float) -> Sighting:  # noqa: ARG002 (the interface's)
        middle = frame[frame.shape[0] // 4 : -frame.shape[0] // 4, frame.shape[1] // 3 : -frame.shape[1] // 3]
        if middle.mean() < 40:
            self._has_taken = False
            return Sighting(None, "nothing", "No film in sight.")
        if self._has_taken:
            return Sighting(CORNERS, "seen", "This film has been taken.")
        self._has_taken = True
        quality = Quality(0.5, 0.02, False, self._grade)
        return Sighting(CORNERS, "taken", "Taken.", Film(frame[30:210, 80:240].copy(), quality, CORNERS))

    def renew(self) -> None:
        self._has_taken = False


class FakeEye:
    """Gives frames from a list; an exception in it is raised, a callable called."""

    def __init__(
        self, script: Iterator[Pixels | Exception | Callable[[], None]], *, opens: Exception | None = None
    ) -> None:
        self._script, self._opens = script, opens
        self.closings = 0
        self.lets_go = True
        self._count = 0

    def wait_until_open(self, seconds: float) -> None:  # noqa: ARG002 (the interface's)
        if self._opens is not None:
            raise self._opens

    def look(self, seconds: float) -> Shot:  # noqa: ARG002
        item = next(self._script, None)
        while callable(item):
            item()
            item = next(self._script, None)
        if item is None:
            raise CameraError("gives no more pictures")
        if isinstance(item, Exception):
            raise item
        self._count += 1
        return Shot(item, 0.2 * self._count)

    def close(self) -> bool:
        self.closings += 1
        return self.lets_go


def make_eyes(*eyes: FakeEye) -> Callable[[Wanted], FakeEye]:
    """One after the other, the last again and again."""
    left = list(eyes)
    return lambda _: left.pop(0) if len(left) > 1 else left[0]


def look_at(file: Path) -> NDArray[np.int64]:
    """A picture of a file in colour: ``(height, width, 3)``, of signed numbers to reckon with."""
    picture = cv2.imread(str(file))
    assert picture is not None
    return picture.astype(np.int64)


def video(path: Path, frames: Sequence[Pixels], rate: int = 5) -> Path:
    """A video file of these frames."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), rate, frames[0].shape[1::-1])
    assert writer.isOpened()
    for frame in frames:
        writer.write(frame if frame.ndim == 3 else cv2.cvtColor(frame, cv2.COLOR_GRAY2BGR))
    writer.release()
    return path


class NetworkCamera:
    """A camera that sends JPEG frames over HTTP, as many do, until it is switched off or falls silent.

    Attributes:
        frame: What it sees.
        state: ``sends``; ``hangs``: is connected and says nothing; ``off``: ends each connection.
        viewers: Connections that are open.
    """

    def __init__(self) -> None:
        self.frame, self.state = empty(), "sends"
        self.viewers = 0
        self.most_viewers = 0
        self._lock = threading.Lock()
        self._end = threading.Event()
        camera = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                camera._serve(self)

            def log_message(self, *_: object) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/stream.mjpg"

    def close(self) -> None:
        self._end.set()
        self._server.shutdown()
        self._server.server_close()

    def _serve(self, handler: http.server.BaseHTTPRequestHandler) -> None:
        if self.state == "off":
            handler.send_error(503)
            return
        with self._lock:
            self.viewers += 1
            self.most_viewers = max(self.viewers, self.most_viewers)
        try:
            handler.send_response(200)
            handler.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
            handler.end_headers()
            while not self._end.wait(0.03) and self.state != "off":
                if self.state == "hangs":
                    continue
                data = cv2.imencode(".jpg", self.frame)[1].tobytes()
                head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(data)}\r\n\r\n"
                handler.wfile.write(head.encode() + data + b"\r\n")
        except OSError:
            pass  # it has been hung up on
        finally:
            with self._lock:
                self.viewers -= 1


@contextmanager
def network_camera() -> Iterator[NetworkCamera]:
    camera = NetworkCamera()
    try:
        yield camera
    finally:
        camera.close()
