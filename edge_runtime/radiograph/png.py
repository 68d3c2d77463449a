"""The structure of a PNG file, read without inflating a byte (PNG, third edition, sections 5 and 11)."""

import struct
import zlib
from typing import Final, NamedTuple

from edge_runtime.errors import ImageError

START: Final = b"\x89PNG\r\n\x1a\n"

# Bit depths by colour type, and the samples of a pixel.
_DEPTHS: Final = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}
_SAMPLES: Final = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
_CRITICAL: Final = frozenset({b"IHDR", b"PLTE", b"IDAT", b"IEND"})

# What the decoder is not shown. Texts and colour profiles may be compressed a thousandfold, and each is inflated up to
# megabytes only to be thrown away; the frames of an animation behind the picture are not answered for.
_UNSEEN: Final = frozenset({b"zTXt", b"iTXt", b"iCCP", b"acTL", b"fcTL", b"fdAT"})

# Writers make parts of 8 KiB or more, so that this is a file of gigabytes.
_MOST_CHUNKS: Final = 200_000

# Of a file of ours it is the second part.
_MOST_BEFORE_PIXELS: Final = 64

# No deflate stream grows more than this when it is inflated, nor does one that a program wrote take much more than what
# it holds. (A stored block adds 5 bytes to 65,535, an empty one as many to nothing.)
_MOST_INFLATION: Final = 1032
_SLACK_SHARE, _SLACK_BYTES = 16, 1 << 14


class Png(NamedTuple):
    """What the header says.

    Attributes:
        height: Rows, before any orientation.
        width: Columns.
        pixel_bytes: That a pixel takes, rounded up.
        interlaced: Whether the picture comes in passes.
        seen: The file as the decoder may see it.
    """

    height: int
    width: int
    pixel_bytes: int
    interlaced: bool
    seen: bytes


def inspect(data: bytes) -> Png:
    """Read the chunks' headers up to the last; what follows it is not looked at.

    Args:
        data: The whole file, which begins with ``START``.

    Raises:
        ImageError: It is damaged or truncated, or holds much more or much less than its size says.
    """
    height, width, depth, colour, interlaced = _header(data)
    pixels, palette, unseen = 0, False, False
    seen = [START]
    begin = at = len(START)
    for _ in range(_MOST_CHUNKS):
        if at + 12 > len(data):
            raise ImageError("truncated: the end of the file is missing")
        length, kind = int.from_bytes(data[at : at + 4]), data[at + 4 : at + 8]
        end = at + 12 + length
        if end > len(data):
            raise ImageError("truncated: the end of the file is missing")
        if kind == b"IEND":
            break
        if kind == b"IDAT":
            pixels += length
        elif kind in _UNSEEN:
            unseen = True
            seen.append(data[begin:at])
            begin = end
        elif kind == b"PLTE":
            palette = True
        elif not kind.isalpha() or (kind[:1].isupper() and kind not in _CRITICAL):
            raise ImageError("damaged: it has parts that no PNG has")
        at = end
    else:
        raise ImageError(f"damaged: it has more than {_MOST_CHUNKS} parts")
    if not pixels:
        raise ImageError("damaged: it ends before its pixels begin")
    if colour == 3 and not palette:
        raise ImageError("damaged: its palette is missing")
    bits = depth * _SAMPLES[colour]
    raw = height * (1 + (width * bits + 7) // 8)
    if raw > _MOST_INFLATION * pixels:
        raise ImageError(f"damaged: too few bytes for {width} x {height} pixels")
    # Seven passes of an interlaced picture add at most a filter byte and a begun byte to each of their rows.
    most = raw + (4 * height + 4 if interlaced else 0)
    if pixels > most + most // _SLACK_SHARE + _SLACK_BYTES:
        raise ImageError(f"damaged: too many bytes for {width} x {height} pixels")
    seen.append(data[begin:end])
    return Png(height, width, (bits + 7) // 8, interlaced, b"".join(seen) if unseen else data)


def text(data: bytes, keyword: bytes, most: int) -> bytes | None:
    """What a text chunk holds (``tEXt``: not compressed), if it stands before the pixels.

    Args:
        data: A file of any kind, damaged or not.
        keyword: The chunk's.
        most: A longer one is passed over, and so is one whose checksum is wrong.

    Returns:
        The first that there is; ``None`` for none. Nothing raises.
    """
    if not data.startswith(START):
        return None
    at = len(START)
    for _ in range(_MOST_BEFORE_PIXELS):
        length, kind = int.from_bytes(data[at : at + 4]), data[at + 4 : at + 8]
        end = at + 12 + length
        if end > len(data) or kind in (b"IDAT", b"IEND"):
            return None
        if kind == b"tEXt" and length <= most and data.startswith(keyword + b"\0", at + 8):
            body = data[at + 8 : end - 4]
            if zlib.crc32(kind + body) == int.from_bytes(data[end - 4 : end]):
                return body[len(keyword) + 1 :]
        at = end
    return None


def _header(data: bytes) -> tuple[int, int, int, int, bool]:
    """Height, width, bit depth, colour type and whether it is interlaced, from the first chunk."""
    if len(data) < len(START) + 25:
        raise ImageError("truncated: the end of the file is missing")
    length, kind, body, checksum = struct.unpack_from(">I4s13sI", data, len(START))
    if kind != b"IHDR" or length != 13 or zlib.crc32(kind + body) != checksum:
        raise ImageError("damaged: its header cannot be read")
    width, height, depth, colour, compression, filtering, interlace = struct.unpack(">IIBBBBB", body)
    if not 0 < width < 1 << 31 or not 0 < height < 1 << 31:
        raise ImageError(f"damaged: its header says {width} x {height} pixels")
    if depth not in _DEPTHS.get(colour, ()) or compression or filtering or interlace > 1:
        raise ImageError("damaged: its header cannot be read")
    return height, width, depth, colour, bool(interlace)
