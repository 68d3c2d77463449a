"""What the camera sees, in a file that a person can look at.

It lies where it costs no writes to a card: in the service's runtime directory, if there is one, and else in the results
folder. It is replaced as a whole, and never forced to the disk.
"""

import contextlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_runtime.camera.drawing import jpeg, with_outline, with_words
from edge_runtime.film.tracker import Sighting
from edge_runtime.finding import NOTICE

NAME: Final = "preview.jpg"
SECONDS: Final = 0.5
"""Between two of them."""

_LONG_SIDE: Final = 960


class Preview:
    """Writes the file, at most twice a second. What cannot be written is left out: films matter more.

    Args:
        folder: Where.
        is_wanted: ``False`` to write nothing.
        now: The time of day, in words.
        monotonic: Seconds.
    """

    def __init__(
        self,
        folder: Path,
        *,
        is_wanted: bool = True,
        now: Callable[[], str] = lambda: time.strftime("%Y-%m-%d %H:%M:%S"),
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.file = folder / NAME
        self._is_wanted, self._now, self._monotonic = is_wanted, now, monotonic
        self._next = float("-inf")
        self._last: NDArray[np.uint8] = np.zeros((360, 640), np.uint8)

    def show(self, frame: NDArray[np.uint8], sighting: Sighting) -> bool:
        """Write what was seen in a frame, ``uint8 (height, width)``, if it is time; returns whether it was written."""
        if not self._is_due(is_important=sighting.state == "taken"):
            return False
        by = min(_LONG_SIDE / max(frame.shape), 1.0)
        size = (max(round(frame.shape[1] * by), 1), max(round(frame.shape[0] * by), 1))
        self._last = np.asarray(cv2.resize(frame, size, interpolation=cv2.INTER_AREA), np.uint8)
        return self._write(with_outline(self._last, sighting, by), sighting.sentence)

    def say(self, sentence: str) -> bool:
        """Write a sentence, without its full stop, below the last frame, made dark, if it is time: no new one comes."""
        if not self._is_due():
            return False
        dark = with_outline(np.asarray(self._last // 3, np.uint8), None)
        return self._write(dark, f"{sentence[0].upper()}{sentence[1:]}.")

    def remove(self) -> None:
        """Leave none behind that looks as if it were of now."""
        for file in (self.file, self._unfinished):
            with contextlib.suppress(OSError):
                file.unlink()

    @property
    def _unfinished(self) -> Path:
        return self.file.with_name(f".{NAME}.new")

    def _is_due(self, *, is_important: bool = False) -> bool:
        now = self._monotonic()
        if not self._is_wanted or (now < self._next and not is_important):
            return False
        self._next = now + SECONDS
        return True

    def _write(self, picture: NDArray[np.uint8], sentence: str) -> bool:
        data = jpeg(with_words(picture, sentence, f"{self._now()}   {NOTICE}"))
        try:
            self._unfinished.write_bytes(data)
            self._unfinished.replace(self.file)
        except OSError:
            with contextlib.suppress(OSError):
                self._unfinished.unlink()
            return False
        return True
