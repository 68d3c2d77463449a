"""A film seen at an angle, laid flat: the aspect ratio that it really has, and its pixels.

The corners of a rectangle in perspective tell its aspect ratio once the focal length is known (Zhang and He 2007, doi
10.1016/j.dsp.2006.05.006). Four corners tell both, but a focal length badly where the film is hardly tilted, so a usual
one is taken there, where it hardly matters.
"""

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

_USUAL_FOCAL: Final = 0.9  # of the frame's longer side: some 58 degrees, between a Pi camera and a telephone
_FOCAL = (0.5, 2.5)  # what is believed of four corners
_ASPECT = (0.4, 2.5)
_TALLEST: Final = 1024  # rows of the result: no model and no screen uses more

Float = NDArray[np.float32]


def aspect(corners: Float, shape: tuple[int, int]) -> float:
    """Width over height of the rectangle whose corners these are, by a camera without shift or skew.

    Args:
        corners: ``float32 (4, 2)``, clockwise from the top left.
        shape: Height and width of the frame.
    """
    middle = np.array([(shape[1] - 1) / 2, (shape[0] - 1) / 2])
    m1, m2, m4, m3 = (np.append(corner - middle, 1.0) for corner in corners.astype(np.float64))
    k2 = np.cross(m1, m4) @ m3 / (np.cross(m2, m4) @ m3)
    k3 = np.cross(m1, m4) @ m2 / (np.cross(m3, m4) @ m2)
    n2, n3 = k2 * m2 - m1, k3 * m3 - m1
    longer = max(shape)
    focal = _USUAL_FOCAL * longer
    # The vanishing points of a rectangle's sides are square to each other; both must be there to tell.
    tilt = n2[2] * n3[2]
    if abs(tilt) > 1e-3:
        square = -(n2[0] * n3[0] + n2[1] * n3[1]) / tilt
        if (_FOCAL[0] * longer) ** 2 <= square <= (_FOCAL[1] * longer) ** 2:
            focal = float(np.sqrt(square))
    scale = np.array([focal, focal, 1.0])
    found = float(np.linalg.norm(n2 / scale) / np.linalg.norm(n3 / scale))
    return min(max(found, _ASPECT[0]), _ASPECT[1])


def straighten(frame: NDArray[np.uint8] | Float, corners: Float, inset: float) -> NDArray[np.uint8] | Float:
    """The film alone, from above, at about the scale that it has in the frame.

    Args:
        frame: ``uint8`` or ``float32``, ``(height, width)``.
        corners: ``float32 (4, 2)``, clockwise from the top left.
        inset: Share of the film's shorter side that is left out along each edge.

    Returns:
        Of the frame's type, ``(rows, columns)``, at most 1,024 rows.
    """
    lengths = np.linalg.norm(np.roll(corners, -1, axis=0) - corners, axis=1)
    ratio = aspect(corners, (frame.shape[0], frame.shape[1]))
    # Not smaller than the longer of two sides, so that nothing near the camera is lost.
    rows = min(max(float(lengths[[1, 3]].max()), float(lengths[[0, 2]].max()) / ratio), _TALLEST)
    height, width = max(round(rows), 32), max(round(rows * ratio), 32)
    margin = inset * min(height, width)
    x, y = margin, margin
    target = np.array([[-x, -y], [width + x, -y], [width + x, height + y], [-x, height + y]], np.float32) - 0.5
    matrix = cv2.getPerspectiveTransform(np.asarray(corners, np.float32), np.asarray(target, np.float32))
    size, flags, edge = (width, height), cv2.INTER_LINEAR, cv2.BORDER_REPLICATE
    return cv2.warpPerspective(frame, matrix, size, flags=flags, borderMode=edge)  # type: ignore[return-value]
