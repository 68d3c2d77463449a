"""What the camera knew of a film, carried from the photographer to the finding in a text chunk of the film's PNG.

PNG files come from anywhere, and anybody may put a chunk of this name into one. So it is read with care: only where a
well-formed one stands before the pixels, holds a short JSON object and that the fields it should have is it believed.
All others are passed over: such a file is answered as if the chunk were not there.
"""

import struct
import zlib
from typing import Final

import msgspec

from edge_runtime.film.quality import is_blurred
from edge_runtime.finding import FILM_KEYWORD, Film
from edge_runtime.radiograph import png

_MOST_BYTES: Final = 4096
_HEADER_END: Final = len(png.START) + 25


def put(data: bytes, film: Film) -> bytes:
    """The PNG with that chunk, right behind its header (PNG, third edition, 11.3.3.2)."""
    import json  # by the camera's thread alone

    # A text chunk holds Latin-1, so that other characters are escaped.
    body = FILM_KEYWORD + b"\0" + json.dumps(msgspec.to_builtins(film)).encode("ascii")
    chunk = struct.pack(">I", len(body)) + b"tEXt" + body + struct.pack(">I", zlib.crc32(b"tEXt" + body))
    return data[:_HEADER_END] + chunk + data[_HEADER_END:]


def read(data: bytes) -> Film | None:
    """What the chunk says; ``None`` where there is none to be believed. Never raises."""
    words = png.text(data, FILM_KEYWORD, _MOST_BYTES)
    if words is None:
        return None
    try:
        return msgspec.json.decode(words, type=Film)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def refusal(film: Film) -> str | None:
    """Why a film that was photographed badly gets no answer; ``None`` where it does."""
    if film.grade != "poor":
        return None
    if is_blurred(film.sharpness):
        return (
            f"a poor photograph of a film: blurred (sharpness {film.sharpness:.2f}); wipe the lens, set the focus or "
            "come nearer, and lay the film down again"
        )
    return (
        f"a poor photograph of a film: something shines on {100 * film.glare:.0f}% of it; turn that lamp off or shade "
        "it, and lay the film down again"
    )
