"""The contact sheet of failures: every wrong answer with its heat map, for the eyes of those who have the data set."""

import math
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from convert.card.cases import Case, answer_for
from edge_runtime.errors import UsageError
from edge_runtime.finding import NOTICE
from edge_runtime.model import heatmap
from edge_runtime.model.classifier import Classifier

_COLUMNS, _PICTURE, _CAPTION, _GAP = 4, 320, 52, 8
_PAPER, _INK, _FAINT = (24, 24, 24), (240, 240, 240), (170, 170, 170)

Picture = NDArray[np.uint8]


def write(path: Path, cases: Sequence[Case], classifier: Classifier) -> int:
    """Draw the wrong and the refused among the cases, the surest error first.

    Returns:
        How many there are.

    Raises:
        UsageError: The file cannot be written.
    """
    failures = sorted(
        (case for case in cases if case.wrong or case.reason is not None),
        key=lambda case: (case.reason is not None, -abs(case.log_odds) if case.wrong else 0.0, case.image.name),
    )
    picture = sheet([_tile(case, classifier) for case in failures])
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(cv2.imencode(".png", picture)[1].tobytes())
    except OSError as error:
        raise UsageError(
            f"The contact sheet {path} cannot be written ({error.strerror}): name another with --failures."
        ) from error
    return len(failures)


def sheet(tiles: Sequence[Picture]) -> Picture:
    """Tiles of one size in rows below a title: ``uint8`` of shape ``(height, width, 3)``."""
    height, width = tiles[0].shape[:2] if tiles else (_PICTURE + _CAPTION, 2 * _PICTURE)
    columns = min(_COLUMNS, max(1, len(tiles)))
    rows = math.ceil(len(tiles) / columns)
    canvas = np.full((_CAPTION + rows * (height + _GAP), columns * (width + _GAP) + _GAP, 3), _PAPER, np.uint8)
    _write(canvas, f"{len(tiles)} answered wrongly or refused", (_GAP, 22), 0.6)
    _write(canvas, f"{NOTICE} Radiographs of patients: not to be published.", (_GAP, 42), 0.42, _FAINT)
    for index, tile in enumerate(tiles):
        row, column = divmod(index, columns)
        top, left = _CAPTION + row * (height + _GAP), _GAP + column * (width + _GAP)
        canvas[top : top + height, left : left + width] = tile
    return canvas


def _tile(case: Case, classifier: Classifier) -> Picture:
    """The radiograph, the heat map beside it, and what they are below."""
    answered = answer_for(case.image, classifier)
    tile = np.full((_PICTURE + _CAPTION, 2 * _PICTURE, 3), _PAPER, np.uint8)
    if answered.grey is not None:
        _place(tile[:_PICTURE, :_PICTURE], cv2.cvtColor(answered.grey, cv2.COLOR_GRAY2BGR))
        if answered.answer is not None:
            _place(tile[:_PICTURE, _PICTURE:], heatmap.render(answered.grey, answered.answer))
    truth = case.image.label
    said = f"refused: {case.reason}" if case.reason is not None else _words(case)
    _write(tile, case.image.name, (2, _PICTURE + 18), 0.45)
    _write(tile, f"is {truth}; {said}", (2, _PICTURE + 38), 0.45, _FAINT)
    return tile


def _words(case: Case) -> str:
    return f"called {'pneumonia' if case.called else 'normal'}, probability of pneumonia {case.probability:.3f}"


def _place(square: Picture, picture: NDArray[np.generic]) -> None:
    """Into the middle of a square, as large as it goes."""
    height, width = picture.shape[:2]
    scale = min(square.shape[0] / height, square.shape[1] / width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = cv2.resize(
        np.asarray(picture, np.uint8), size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    )
    top, left = (square.shape[0] - size[1]) // 2, (square.shape[1] - size[0]) // 2
    square[top : top + size[1], left : left + size[0]] = small


def _write(picture: Picture, text: str, at: tuple[int, int], size: float, colour: tuple[int, int, int] = _INK) -> None:
    # OpenCV's letters are ASCII.
    words = text.encode("ascii", "replace").decode()
    cv2.putText(picture, words, at, cv2.FONT_HERSHEY_SIMPLEX, size, colour, 1, cv2.LINE_AA)
