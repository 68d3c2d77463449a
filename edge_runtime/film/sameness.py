"""Whether two looks at a film show the same one, though a hand or a reflection hides a part of it.

Chests are alike, so what counts is their fine structure: a film's picture without its slow changes is cut into blocks,
and each is looked for in the other film near its place. An outline is not found to the pixel each time, so blocks may
be shifted, stretched and turned, but all alike. Of the same film many blocks are where one such change puts them, those
aside that something hides; of two chests few.
"""

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

_SIDE: Final = 96
_BLOCK: Final = 16
_STEP: Final = 8
_INSET: Final = 4  # pixels at the film's edge, which all films have
_SEARCH: Final = 8  # pixels around a block's own place
_COARSE = 5.0  # sigma of what is left out, in pixels
_FLAT = 0.7  # grey levels: blocks with less structure tell nothing
_AGREE = 0.75
_OFF = 1.3  # pixels from where the common change puts a block
_SHARE = 0.45  # of the blocks that must be there: of 70 chests no two have more than 0.41

Float = NDArray[np.float32]


def signature(grey: NDArray[np.uint8], corners: Float) -> Float:
    """The fine structure of the film with these corners in a reduced frame: ``float32 (96, 96)``."""
    square = np.array([[0, 0], [_SIDE, 0], [_SIDE, _SIDE], [0, _SIDE]], np.float32) * 2 - np.float32(0.5)
    matrix = cv2.getPerspectiveTransform(np.asarray(corners, np.float32), square)
    large = cv2.warpPerspective(grey, matrix, (2 * _SIDE, 2 * _SIDE), flags=cv2.INTER_LINEAR)
    flat = cv2.resize(large, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA).astype(np.float32)
    return np.asarray(cv2.GaussianBlur(flat, (0, 0), 1.0) - cv2.GaussianBlur(flat, (0, 0), _COARSE), np.float32)


def agreement(one: Float, other: Float) -> float:
    """The share of the first one's blocks that are in the second, of those that show anything."""
    telling, places, shifts = 0, [], []
    for top in range(_INSET, _SIDE - _INSET - _BLOCK + 1, _STEP):
        for left in range(_INSET, _SIDE - _INSET - _BLOCK + 1, _STEP):
            block = one[top : top + _BLOCK, left : left + _BLOCK]
            if block.std() < _FLAT:
                continue
            telling += 1
            y, x = max(top - _SEARCH, 0), max(left - _SEARCH, 0)
            around = other[y : top + _BLOCK + _SEARCH, x : left + _BLOCK + _SEARCH]
            _, best, _, at = cv2.minMaxLoc(cv2.matchTemplate(around, block, cv2.TM_CCOEFF_NORMED))
            if best >= _AGREE:
                places.append((left - _SIDE / 2, top - _SIDE / 2, 1.0))
                shifts.append((x + at[0] - left, y + at[1] - top))
    if len(places) < 4:
        return 0.0
    return _together(np.array(places), np.array(shifts, np.float64)) / telling


def is_same(one: Float, other: Float) -> bool:
    """Whether two signatures are of one film."""
    return agreement(one, other) >= _SHARE


def _together(places: NDArray[np.float64], shifts: NDArray[np.float64]) -> int:
    """How many blocks one affine change moves to where they were found."""
    # It begins with the most common shift and grows to a change that is fitted to what agrees with it.
    distances = np.linalg.norm(shifts[:, None] - shifts[None], axis=2)
    kept = distances[(distances <= 2 * _OFF).sum(axis=1).argmax()] <= 2 * _OFF
    hold = np.diag([40.0, 40.0, 0.0])
    for _ in range(4):
        own = places[kept]
        change = np.linalg.solve(own.T @ own + hold + 1e-9 * np.eye(3), own.T @ shifts[kept])
        within = np.linalg.norm(shifts - places @ change, axis=1) <= _OFF
        if not within.any():
            return 0
        kept = within
    return int(np.count_nonzero(kept))
