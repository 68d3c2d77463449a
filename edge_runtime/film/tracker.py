"""Follows the film before the camera from frame to frame, and takes it once.

A frame is compared with the one in which the present stillness began. As long as it is the same within the film, the
outline found there holds, nothing is searched, and the frames are added up. What is taken is their mean.

Which films were taken is told by what they show, not by when they came: the film that was taken last is known again by
its fine structure, wherever it lies, however often it comes and goes. So a hand that passes, a lamp that flickers, or
the film put back makes no second one, and another film makes one though it was exchanged between two frames.
"""

from dataclasses import dataclass
from typing import Final, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_runtime.film import develop, outline, quality, sameness
from edge_runtime.film.develop import Film

__all__ = ["Film", "FilmTracker", "Sighting", "State"]

State = Literal["nothing", "moving", "blurred", "glare", "holding", "taken", "seen"]

_LEAST_FRAMES: Final = 2
_CELLS: Final = (60, 45)  # frames are compared in averages, which have no noise
_DIFFERENCE = 10.0  # grey levels between cells, from which they are not the same,
_RELATIVE = 0.06  # and as a share of the brighter one
_CHANGED = 0.04  # of the film's cells
_TRIES = 3  # searches in a still frame without a film: noise may hide one
_SENTENCES: Final[dict[State, str]] = {
    "nothing": "No film in sight.",
    "moving": "A film; hold it still.",
    "blurred": "The film is blurred: check the camera's focus and distance.",
    "glare": "A reflection hides a part of the film: turn off or cover the lamp, or tilt the film.",
    "holding": "A film; a moment please.",
    "taken": "The film was taken.",
    "seen": "This film was taken: put the next one.",
}

Float = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Sighting:
    """What one frame showed.

    Attributes:
        outline: The film's corners in the frame as in ``Film``, or ``None`` where there is none.
        state: ``nothing``: no film. ``moving``, ``blurred``, ``glare``: one that cannot be taken yet. ``holding``: one
            that is still and sharp, for less than a moment. ``taken``: by this frame, and only by this one. ``seen``:
            the film that was taken still lies there.
        sentence: For a person.
        film: Where the state is ``taken``.
    """

    outline: Float | None
    state: State
    sentence: str
    film: Film | None = None


@dataclass(slots=True, eq=False)
class _Stillness:
    """Since when nothing moves, and what has been seen since."""

    since: float
    cells: Float
    corners: Float | None  # in the full frame
    total: Float  # sum of the frames
    frames: int = 1
    searches: int = 1
    known: bool = False  # the film has been taken
    fault: State | None = None  # why it could not be


class FilmTracker:
    """Knows no camera and no clock: frames and their times come in."""

    def __init__(self, *, still: float = 0.7) -> None:
        """Watch for films.

        Args:
            still: Seconds for which a film must lie still and sharp before it is taken.
        """
        self._still = still
        self._now: _Stillness | None = None
        self._taken: Float | None = None  # the signature of the film taken last,
        self._where: Float | None = None  # and its corners when it was last seen
        self._insist = False

    def look(self, frame: NDArray[np.uint8], seconds: float) -> Sighting:
        """Look at the next frame.

        Args:
            frame: ``uint8``, ``(height, width, 3)`` in OpenCV's order of colours, or grey ``(height, width)``.
            seconds: When it was taken, by a clock that only goes forward.
        """
        grey = np.asarray(frame if frame.ndim == 2 else cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY), np.uint8)
        small, factor = outline.reduce(grey)
        cells = np.asarray(cv2.resize(small, _CELLS, interpolation=cv2.INTER_AREA), np.float32)
        now = self._now
        if now is None or now.total.shape != grey.shape or _changed(cells, now, grey.shape):
            self._now = now = _Stillness(seconds, cells, _search(small, factor), grey.astype(np.float32))
            now.known = now.corners is not None and self._is_taken(small, factor, now.corners)
            return self._say(now, "nothing" if now.corners is None else "seen" if now.known else "moving")
        cv2.accumulate(grey, now.total)
        now.frames += 1
        if now.corners is None and now.searches < _TRIES:
            now.searches += 1
            now.corners = _search(small, factor)
            now.known = now.corners is not None and self._is_taken(small, factor, now.corners)
        if now.corners is None:
            return self._say(now, "nothing")
        if now.known and not self._insist:
            return self._say(now, "seen")
        if seconds - now.since < self._still or now.frames < _LEAST_FRAMES:
            return self._say(now, now.fault or "holding")
        return self._take(now, seconds)

    def renew(self) -> None:
        """Count the film that lies there as a new one, and take it as it is: someone pressed the button.

        Even one that is blurred or shone upon is taken then, once it lies still; its quality is ``poor``.
        """
        self._insist = True
        self._now = None

    def _take(self, now: _Stillness, seconds: float) -> Sighting:
        mean = np.asarray(now.total / np.float32(now.frames), np.float32)
        small, factor = outline.reduce(np.rint(mean).astype(np.uint8))
        # What several frames show together is found best; one in which nothing is found was found in before.
        corners = _search(small, factor)
        if corners is None:
            assert now.corners is not None
            corners = now.corners
        if not self._insist and self._is_taken(small, factor, corners):
            now.known, now.corners = True, corners
            return self._say(now, "seen")
        film = develop.develop(mean, corners)
        if film.quality.grade == "poor" and not self._insist:
            now.fault = "blurred" if quality.is_blurred(film.quality.sharpness) else "glare"
            # It is looked at again after as long a time; the light may have changed too slowly to be seen as a change.
            now.since, now.total, now.frames = seconds, np.zeros_like(now.total), 0
            return self._say(now, now.fault)
        self._insist = False
        now.known, now.corners = True, film.outline
        now.total = np.zeros_like(now.total)
        self._where = film.outline
        self._taken = sameness.signature(small, _to_small(film.outline, factor))
        return Sighting(film.outline, "taken", _SENTENCES["taken"], film)

    def _say(self, now: _Stillness, state: State) -> Sighting:
        return Sighting(now.corners, state, _SENTENCES[state])

    def _is_taken(self, small: NDArray[np.uint8], factor: float, corners: Float) -> bool:
        """Whether this is the film taken last: by its outline, or, if a hand misleads that, at its last place."""
        if self._taken is None or self._where is None:
            return False
        if sameness.is_same(self._taken, sameness.signature(small, _to_small(corners, factor))):
            self._where = corners
            return True
        return sameness.is_same(self._taken, sameness.signature(small, _to_small(self._where, factor)))


def _search(small: NDArray[np.uint8], factor: float) -> Float | None:
    found = outline.find(small)
    return None if found is None else np.asarray((found.corners + 0.5) * factor - 0.5, np.float32)


def _to_small(corners: Float, factor: float) -> Float:
    return np.asarray((corners + 0.5) / factor - 0.5, np.float32)


def _changed(cells: Float, now: _Stillness, shape: tuple[int, ...]) -> bool:
    """Whether something moved in the film, or anywhere as long as there is none."""
    # A lamp that is a little brighter changes all alike.
    brightness = float(cells.mean()) / max(float(now.cells.mean()), 1.0)
    before = now.cells * np.float32(brightness if 0.9 < brightness < 1.1 else 1.0)
    limit = np.maximum(_DIFFERENCE, _RELATIVE * np.maximum(cells, before))
    different = np.abs(cells - before) > limit
    if now.corners is None:
        return float(different.mean()) > _CHANGED / 4
    mask = np.zeros(cells.shape, np.uint8)
    scale = np.array([_CELLS[0] / shape[1], _CELLS[1] / shape[0]])
    cv2.fillConvexPoly(mask, np.rint((now.corners + 0.5) * scale - 0.5).astype(np.int32), 1)
    inside = mask > 0
    return bool(inside.any()) and float(different[inside].mean()) > _CHANGED
