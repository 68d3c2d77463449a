"""What a camera is."""

from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from edge_runtime.errors import EdgePneumoError


class CameraError(EdgePneumoError):
    """A camera cannot be used, or not any more: what it does, without its name, such as ``is not there``."""


class Shot(NamedTuple):
    """A frame.

    Attributes:
        pixels: Grey, ``uint8`` of shape ``(height, width)``.
        seconds: When it was taken, by ``time.monotonic``; in a video file, since its beginning.
    """

    pixels: NDArray[np.uint8]
    seconds: float


class Camera(Protocol):
    """Gives frames, in the process and the thread that opened it.

    Attributes:
        is_live: Whether frames pass by that nobody takes; those of a file wait.
    """

    is_live: bool

    def open(self) -> None:
        """Begin.

        Raises:
            CameraError: It cannot be used.
        """
        ...

    def wait(self) -> float | None:
        """Wait for the next frame: when it was taken; ``None`` where there is none any more, at the end of a file.

        Raises:
            CameraError: It gives no more, or never gave any.
        """
        ...

    def pixels(self) -> NDArray[np.uint8]:
        """The frame that was waited for; ``Shot.pixels``.

        Raises:
            CameraError: It cannot be read.
        """
        ...

    def close(self) -> None:
        """Let the device go."""
        ...
