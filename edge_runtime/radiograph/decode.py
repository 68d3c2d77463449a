"""Bytes of a JPEG or PNG file to grey pixels."""

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_runtime.errors import ImageError
from edge_runtime.radiograph.reduce import Sides, factor

_JPEG_START = b"\xff\xd8\xff"
_JPEG_SCAN, _JPEG_END = b"\xff\xda", b"\xff\xd9"
_PNG_START = b"\x89PNG\r\n\x1a\n"
_PNG_END = b"IEND\xae\x42\x60\x82"

# A 16-bit file rarely uses its whole range (12-bit detectors), and single hot pixels would fix the range if it were
# taken from the extremes.
_WINDOW_PERCENTILES = (0.1, 99.9)

_FULL_SIZE = cv2.IMREAD_GRAYSCALE | cv2.IMREAD_ANYDEPTH
_REDUCED = {
    2: cv2.IMREAD_REDUCED_GRAYSCALE_2,
    4: cv2.IMREAD_REDUCED_GRAYSCALE_4,
    8: cv2.IMREAD_REDUCED_GRAYSCALE_8,
}


def decode(data: bytes, *, least: Sides | None = None) -> NDArray[np.uint8]:
    """Decode a JPEG or PNG file of 8 or 16 bits, grey or colour, to grey pixels.

    Colour becomes luminance, alpha is ignored, an EXIF orientation is applied. 16-bit samples are mapped linearly from
    their 0.1 to 99.9 percentile onto 0..255.

    Args:
        data: The whole file.
        least: A JPEG may be reduced to a half, a quarter or an eighth as long as its sides keep so many pixels;
            ``None`` for its own size. A PNG is never reduced.

    Returns:
        ``uint8`` array of shape ``(height, width)``, 0 black to 255 white.

    Raises:
        ImageError: The file is empty, neither JPEG nor PNG, truncated or damaged.
    """
    _refuse_incomplete(data)
    by = 1 if least is None or not data.startswith(_JPEG_START) else factor(data, least)
    try:
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), _REDUCED.get(by, _FULL_SIZE))
    except cv2.error as error:
        raise ImageError("damaged, or larger than can be decoded") from error
    if pixels is None:
        raise ImageError("damaged: its header is readable, its pixels are not")
    return _to_uint8(pixels)


def _refuse_incomplete(data: bytes) -> None:
    # OpenCV fills the missing part of a truncated file with grey and reports success, so the end is looked for here.
    if not data:
        raise ImageError("empty file")
    if data.startswith(_JPEG_START):
        # Inside a scan 0xFF is only followed by 0x00 or a restart marker, so an end marker behind the last start of
        # scan is the image's own and not that of a thumbnail.
        complete = data.rfind(_JPEG_END) > data.rfind(_JPEG_SCAN)
    elif data.startswith(_PNG_START):
        complete = _PNG_END in data
    else:
        raise ImageError("neither a JPEG nor a PNG file")
    if not complete:
        raise ImageError("truncated: the end of the file is missing")


def _to_uint8(pixels: NDArray[np.generic]) -> NDArray[np.uint8]:
    if pixels.dtype == np.uint8:
        return np.asarray(pixels, np.uint8)
    samples = pixels.astype(np.float32)
    low, high = (float(level) for level in np.percentile(samples, _WINDOW_PERCENTILES))
    samples -= low
    samples *= 255.0 / max(high - low, 1.0)
    return np.clip(np.rint(samples), 0, 255).astype(np.uint8)
