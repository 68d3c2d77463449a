"""``edge-pneumo camera``: which cameras are there, and what one of them sees, for setting it up."""

import argparse
import threading
from pathlib import Path
from typing import Final

from edge_runtime import options
from edge_runtime.camera.choice import Choice, has_picamera2, parse, shown, there
from edge_runtime.camera.drawing import jpeg, with_outline, with_words
from edge_runtime.camera.eye import Ended, Eye, Wanted
from edge_runtime.camera.interface import CameraError, Shot
from edge_runtime.camera.supervising import OPEN_SECONDS, SILENT_SECONDS
from edge_runtime.config.settings import CameraSettings
from edge_runtime.errors import UsageError
from edge_runtime.film.tracker import FilmTracker, Sighting
from edge_runtime.finding import NOTICE

_LOOK_SECONDS: Final = 3.0
_MOST_FRAMES: Final = 600
_FRAME_SECONDS: Final = 0.1


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``camera``."""
    parser.add_argument(
        "--camera",
        dest="camera_device",
        metavar="DEVICE",
        help="picamera2, a number, /dev/videoN, rtsp://... or a video file (default: the one that is configured, else "
        "the first that is there)",
    )
    parser.add_argument(
        "--output",
        type=Path,
        default=Path("camera.jpg"),
        metavar="FILE",
        help="where the picture with the outline goes, a JPEG (default: %(default)s)",
    )
    options.add_config_argument(parser)


def run(arguments: argparse.Namespace) -> int:
    """List the cameras, look through one for three seconds, and say what it sees; 0 if it can be used.

    Raises:
        EdgePneumoError: There is none, it cannot be used, or the picture cannot be written.
    """
    settings = options.configuration(arguments).settings.camera
    found = list(there())
    for word, name in found:
        print(f"{word:<12}  {name}")
    if not has_picamera2():
        print("picamera2     not installed: cameras on a Raspberry Pi's camera port need it (python3-picamera2)")
    device = settings.device or (found[0][0] if found else "")
    if not device:
        raise UsageError(
            "no camera is there; plug one in, or name one in the network with --camera rtsp://ADDRESS/PATH"
        )
    choice = parse(device)
    shot, sighting = look_through(choice, settings)
    picture = with_words(with_outline(shot.pixels, sighting), sighting.sentence, f"{choice.name}   {NOTICE}")
    _write(arguments.output, jpeg(picture))
    height, width = shot.pixels.shape
    print(f"{shown(device)} gives pictures of {width} x {height} pixels; the last one is {arguments.output}")
    print(sighting.sentence)
    return 0


def look_through(choice: Choice, settings: CameraSettings) -> tuple[Shot, Sighting]:
    """Look for three seconds, or until a film would be taken; a video file until that or its end.

    Raises:
        CameraError: It cannot be used.
    """
    eye = Eye(Wanted(choice.word, settings.width, settings.height))
    pause = threading.Event()
    tracker = FilmTracker(still=settings.still)
    last: tuple[Shot, Sighting] | None = None
    try:
        eye.wait_until_open(OPEN_SECONDS)
        first: float | None = None
        for _ in range(_MOST_FRAMES):
            shot = eye.look(SILENT_SECONDS)
            last = shot, tracker.look(shot.pixels, shot.seconds)
            first = shot.seconds if first is None else first
            if last[1].film is not None or (choice.kind != "file" and shot.seconds - first > _LOOK_SECONDS):
                break
            if choice.kind != "file":
                pause.wait(_FRAME_SECONDS)
    except CameraError as error:
        raise CameraError(f"the camera {choice.name} {error}") from error
    except Ended:
        pass
    finally:
        eye.close()
    if last is None:
        raise CameraError(f"the video {choice.name} has no picture in it")
    return last


def _write(file: Path, data: bytes) -> None:
    unfinished = file.with_name(f".{file.name}.new")
    try:
        unfinished.write_bytes(data)
        unfinished.replace(file)
    except OSError as error:
        raise UsageError(
            f"the picture {file} cannot be written ({error.strerror}); name another with --output"
        ) from error
