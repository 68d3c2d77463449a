"""Bytes of a JPEG or PNG file to grey pixels."""

from typing import Final, NamedTuple, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_runtime.errors import ImageError
from edge_runtime.radiograph import jpeg, kinds, png
from edge_runtime.radiograph.reduce import Sides, factor

MOST_PIXELS: Final = 200_000_000
"""More are refused before anything is decoded, if nothing else is said. A large detector has 20 million."""

TOO_LARGE: Final = "too large to be decoded in this machine's memory"

# A 16-bit file rarely uses its whole range (12-bit detectors), and single hot pixels would fix the range if it were
# taken from the extremes.
_WINDOW_PERCENTILES = (0.1, 99.9)
_STRIP_PIXELS = 1 << 20

_FULL_SIZE = cv2.IMREAD_GRAYSCALE | cv2.IMREAD_ANYDEPTH
_REDUCED = {
    2: cv2.IMREAD_REDUCED_GRAYSCALE_2,
    4: cv2.IMREAD_REDUCED_GRAYSCALE_4,
    8: cv2.IMREAD_REDUCED_GRAYSCALE_8,
}


class Abandoned(Exception):  # noqa: N818 (it is no error)
    """What decodes was told to stop, so that there is no answer."""


class Decode(Protocol):
    """What decodes, in this process or another."""

    def __call__(self, data: bytes, *, least: Sides | None = None) -> NDArray[np.uint8]:
        """Grey pixels of ``data``; see ``decode``."""
        ...


class Seen(NamedTuple):
    """What the decoder is asked for.

    Attributes:
        data: What it sees of the file.
        by: By how much it reduces the picture: 1, 2, 4 or 8.
        memory: Bytes that this takes at most, ``data`` not counted.
    """

    data: bytes | NDArray[np.uint8]
    by: int
    memory: int


def decode(data: bytes, *, least: Sides | None = None, most_pixels: int = MOST_PIXELS) -> NDArray[np.uint8]:
    """Decode a JPEG or PNG file of 8 or 16 bits, grey or colour, to grey pixels.

    Colour becomes luminance, alpha is ignored, an EXIF orientation is applied. 16-bit samples are mapped linearly from
    their 0.1 to 99.9 percentile onto 0..255. Of several pictures in a file the first is taken.

    A JPEG that is damaged among its coded pixels is decoded nonetheless, as libjpeg does; ``careful`` refuses it.

    Args:
        data: The whole file.
        least: A JPEG may be reduced to a half, a quarter or an eighth as long as its sides keep so many pixels;
            ``None`` for its own size. A PNG is never reduced.
        most_pixels: A larger picture is refused.

    Returns:
        ``uint8`` array of shape ``(height, width)``, 0 black to 255 white.

    Raises:
        ImageError: The file is empty, neither JPEG nor PNG, truncated, damaged, too large, or coded in a way that
            cannot be read.
        MemoryError: There is too little for the picture.
    """
    return pixels(inspect(data, least=least, most_pixels=most_pixels))


def inspect(data: bytes, *, least: Sides | None = None, most_pixels: int = MOST_PIXELS) -> Seen:
    """Look at a file's structure, without decoding.

    Args:
        data: The whole file.
        least: As for ``decode``.
        most_pixels: As for ``decode``.

    Raises:
        ImageError: As ``decode``, as far as it can be told without decoding.
    """
    if not data:
        raise ImageError("empty file")
    if data.startswith(jpeg.START):
        frame = jpeg.inspect(data)
        _refuse_large(frame.height, frame.width, most_pixels)
        by = 1 if least is None else factor((frame.height, frame.width), least)
        # A progressive file's coefficients, two bytes each, all have to be there before the first pixel is.
        held = 2 * frame.components if frame.progressive else 0
        return Seen(data, by, frame.height * frame.width * (held + 2))
    if data.startswith(png.START):
        header = png.inspect(data)
        _refuse_large(header.height, header.width, most_pixels)
        # The picture, in 8 bits too if it has 16; if it is turned, a second time. An interlaced one as it is stored.
        held = header.pixel_bytes if header.interlaced else 0
        return Seen(header.seen, 1, header.height * header.width * (held + 5))
    raise kinds.foreign(data)


def pixels(seen: Seen) -> NDArray[np.uint8]:
    """Decode what has been inspected.

    Returns:
        As ``decode``.

    Raises:
        ImageError: It is damaged.
        MemoryError: There is too little for it.
    """
    try:
        decoded = cv2.imdecode(np.frombuffer(seen.data, np.uint8), _REDUCED.get(seen.by, _FULL_SIZE))
    except cv2.error as error:
        if error.code == cv2.Error.StsNoMem:
            raise MemoryError from error
        raise ImageError("damaged, or larger than can be decoded") from error
    if decoded is None:
        raise ImageError("damaged: its header is readable, its pixels are not")
    return _to_uint8(decoded)


def _refuse_large(height: int, width: int, most_pixels: int) -> None:
    if height * width > most_pixels:
        raise ImageError(f"too large: {width} x {height} pixels, at most {most_pixels / 1e6:g} megapixels are decoded")


def _to_uint8(decoded: NDArray[np.generic]) -> NDArray[np.uint8]:
    if decoded.dtype == np.uint8:
        return np.asarray(decoded, np.uint8)
    # By way of a table of all levels: a few hundred kilobytes, where sorting the pixels takes many times the picture.
    samples = np.asarray(decoded, np.uint16)
    counts = np.zeros(1 << 16, np.int64)
    strips = _strips(samples)
    for strip in strips:
        counts += np.bincount(samples[strip].ravel(), minlength=len(counts))
    low, high = (_percentile(counts, percent) for percent in _WINDOW_PERCENTILES)
    levels = np.arange(len(counts), dtype=np.float32)
    levels -= low
    levels *= 255.0 / max(high - low, 1.0)
    table, grey = np.clip(np.rint(levels), 0, 255).astype(np.uint8), np.empty(samples.shape, np.uint8)
    for strip in strips:
        grey[strip] = table[samples[strip]]
    return grey


def _percentile(counts: NDArray[np.int64], percent: float) -> float:
    """Of values that are counted, between whose places it is linear, as ``numpy.percentile`` has it."""
    below = np.cumsum(counts)
    place = percent / 100 * (int(below[-1]) - 1)
    low, high = (float(np.searchsorted(below, int(place) + step, side="right")) for step in (0, 1))
    share = place - int(place)
    return low + (high - low) * share if share else low


def _strips(samples: NDArray[np.uint16]) -> list[slice]:
    """Rows that are dealt with at a time, because numpy makes 8 bytes of each of their pixels."""
    rows = max(_STRIP_PIXELS // samples.shape[1], 1)
    return [slice(top, top + rows) for top in range(0, len(samples), rows)]
