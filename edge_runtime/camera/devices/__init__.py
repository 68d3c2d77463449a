"""The cameras that there are: a new kind is a file here and a line in ``camera_of``."""

from edge_runtime.camera.choice import Choice
from edge_runtime.camera.interface import Camera


def camera_of(choice: Choice, width: int, height: int) -> Camera:
    """What gives the frames of the camera that was chosen, of about that size; not open yet."""
    if choice.kind == "picamera2":
        from edge_runtime.camera.devices.picamera import PiCamera

        return PiCamera(choice.number, width, height)
    from edge_runtime.camera.devices.opencv import OpenCvCamera

    return OpenCvCamera(choice, width, height)
