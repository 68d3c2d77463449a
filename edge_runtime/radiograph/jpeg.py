"""The structure of a JPEG file, read without decoding a pixel (ITU-T T.81, annex B).

It tells what the decoder would be asked for before the decoder is asked: a size that would not fit into memory, a
coding that it cannot read, an end that is missing.
"""

import re
from typing import Final, NamedTuple

from edge_runtime.errors import ImageError

START: Final = b"\xff\xd8\xff"

_BASELINE, _EXTENDED, _PROGRESSIVE = 0xC0, 0xC1, 0xC2
_FRAMES: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC} | {0xF7}  # the three are tables and a reserved code
_RESTARTS: Final = frozenset(range(0xD0, 0xD8))
_FILLING, _TEMPORARY, _IMAGE, _END, _SCAN, _ADOBE = 0xFF, 0x01, 0xD8, 0xD9, 0xDA, 0xEE
# In coded pixels 0xFF stands before 0x00, a restart marker or another 0xFF alone.
_AFTER_SCAN: Final = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")

# Each scan of a progressive file is a pass over the whole picture, however short it is. Programs write about ten.
_MOST_SCANS: Final = 100
_MOST_SEGMENTS: Final = 20_000

# A block of 8 x 8 pixels takes a bit or more: its DC coefficient has a Huffman code, and none is empty.
_MOST_PIXELS_A_BYTE: Final = 64 * 8

_AS: Final = "export it as a baseline JPEG or as PNG"


class Jpeg(NamedTuple):
    """What the headers say.

    Attributes:
        height: Rows, before any orientation.
        width: Columns.
        components: 1 grey, 3 colour, 4 CMYK.
        progressive: Whether the pixels come in passes over the whole picture.
    """

    height: int
    width: int
    components: int
    progressive: bool


def inspect(data: bytes) -> Jpeg:
    """Read the headers, up to the end marker of the first image; what follows it is not looked at.

    Args:
        data: The whole file, which begins with ``START``.

    Raises:
        ImageError: It is damaged or truncated, or coded as the decoder cannot read it.
    """
    frame: Jpeg | None = None
    adobe, scans = False, 0
    at = 2
    for _ in range(_MOST_SEGMENTS):
        marker, at = _marker(data, at)
        if marker == _END:
            if frame is None or not scans:
                raise ImageError("damaged: it ends before its pixels begin")
            if frame.height * frame.width > _MOST_PIXELS_A_BYTE * len(data):
                raise ImageError(f"damaged: too few bytes for {frame.width} x {frame.height} pixels")
            return frame
        if marker == _IMAGE:
            raise ImageError("damaged: its parts are in a wrong order")
        if marker in _RESTARTS or marker == _TEMPORARY:
            continue
        begin, at = at, at + int.from_bytes(data[at : at + 2])
        if max(at, begin + 2) > len(data):
            raise ImageError("truncated: the end of the file is missing")
        if at < begin + 2:
            raise ImageError("damaged: a part of it has no length")
        if marker in _FRAMES:
            if frame is not None:
                raise ImageError("damaged: it has two headers")
            frame = _frame(marker, data[begin + 2 : at])
        elif marker == _ADOBE:
            adobe |= data.startswith(b"Adobe", begin + 2) and at - begin >= 14
        elif marker == _SCAN:
            if frame is None:
                raise ImageError("damaged: its pixels come before its header")
            if frame.components == 4 and not adobe:
                # Adobe's files hold inverted colours, others do not: a guess would make a negative of one of the two.
                raise ImageError("a CMYK file that does not say whether it is inverted: export it in grey")
            scans += 1
            if scans > _MOST_SCANS:
                raise ImageError(f"damaged: its pixels come in more than {_MOST_SCANS} passes")
            found = _AFTER_SCAN.search(data, at)
            if found is None:
                raise ImageError("truncated: the end of the file is missing")
            at = found.start()
    raise ImageError(f"damaged: it has more than {_MOST_SEGMENTS} parts")


def _marker(data: bytes, at: int) -> tuple[int, int]:
    """The marker that stands at a place, and the place behind it."""
    if at + 2 > len(data):
        raise ImageError("truncated: the end of the file is missing")
    if data[at] != _FILLING:
        raise ImageError("damaged: one of its parts does not begin where the one before it ends")
    while at < len(data) and data[at] == _FILLING:
        at += 1
    if at == len(data):
        raise ImageError("truncated: the end of the file is missing")
    if data[at] == 0:
        raise ImageError("damaged: one of its parts does not begin where the one before it ends")
    return data[at], at + 1


def _frame(marker: int, segment: bytes) -> Jpeg:
    """What a frame header says (T.81, B.2.2)."""
    if marker == 0xF7:
        raise ImageError(f"a JPEG-LS file: {_AS}")
    if marker in (0xC3, 0xC7, 0xCB, 0xCF):
        raise ImageError(f"a lossless JPEG, which cannot be read: {_AS}")
    if marker in (0xC9, 0xCA, 0xCD, 0xCE):
        raise ImageError(f"a JPEG in arithmetic coding, which cannot be read: {_AS}")
    if marker not in (_BASELINE, _EXTENDED, _PROGRESSIVE):
        raise ImageError(f"a hierarchical JPEG, which cannot be read: {_AS}")
    if len(segment) < 6 or len(segment) != 6 + 3 * segment[5]:
        raise ImageError("damaged: its header is cut short")
    bits, components = segment[0], segment[5]
    height, width = int.from_bytes(segment[1:3]), int.from_bytes(segment[3:5])
    if bits != 8:
        raise ImageError(f"a JPEG of {bits} bits, which cannot be read: export it as PNG of 16 bits or JPEG of 8")
    if components not in (1, 3, 4):
        raise ImageError(f"damaged: it has {components} colours")
    if not height or not width:
        raise ImageError(f"damaged: its header says {width} x {height} pixels")
    return Jpeg(height, width, components, marker == _PROGRESSIVE)
