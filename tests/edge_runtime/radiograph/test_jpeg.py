import io
import struct
from typing import Any

import pytest
from PIL import Image

from edge_runtime.errors import ImageError
from edge_runtime.radiograph import jpeg


def saved(width: int = 800, height: int = 600, form: str = "L", **options: Any) -> bytes:
    file = io.BytesIO()
    Image.new(form, (width, height), 99 if form == "L" else None).save(file, "JPEG", **options)
    return file.getvalue()


def with_segment(data: bytes, marker: int, body: bytes) -> bytes:
    return data[:2] + bytes((0xFF, marker)) + struct.pack(">H", len(body) + 2) + body + data[2:]


def put(data: bytes, at: int, new: bytes) -> bytes:
    return data[:at] + new + data[at + len(new) :]


GREY = saved()
FRAME = GREY.index(b"\xff\xc0")
SCAN = GREY.index(b"\xff\xda")


@pytest.mark.parametrize(
    ("data", "components", "progressive"),
    [
        (GREY, 1, False),
        (saved(progressive=True), 1, True),
        (saved(form="RGB"), 3, False),
        (saved(form="CMYK"), 4, False),
        (saved(comment=b"\xff\xd9 \xff\xc0 \xff\xda"), 1, False),
        (with_segment(GREY, 0xE1, b"Exif\0\0" + saved(32, 24)), 1, False),
        (GREY[:2] + b"\xff\xff\xff" + GREY[2:], 1, False),  # a marker may be filled with 0xFF
        (GREY[:-2] + b"\xff\xff\xd9", 1, False),
        (GREY + b"rubbish", 1, False),
        (GREY + saved(100, 50), 1, False),
        (GREY + saved(100, 50)[:-9], 1, False),
    ],
    ids=[
        *("grey", "progressive", "colour", "cmyk", "comment", "thumbnail", "filled", "filled end", "trailing"),
        *("two", "two, the second cut"),
    ],
)
def test_the_headers_are_read(data: bytes, components: int, progressive: bool) -> None:
    assert jpeg.inspect(data) == jpeg.Jpeg(600, 800, components, progressive)


def test_what_is_cut_off_anywhere_is_truncated() -> None:
    for length in range(3, len(GREY), 7):
        with pytest.raises(ImageError, match=r"^truncated: the end of the file is missing$"):
            jpeg.inspect(GREY[:length])


def test_the_end_of_a_thumbnail_is_not_the_pictures() -> None:
    data = with_segment(GREY, 0xE1, b"Exif\0\0" + saved(32, 24))

    with pytest.raises(ImageError, match=r"^truncated"):
        jpeg.inspect(data[:-30])


def without_adobe(data: bytes) -> bytes:
    at = data.index(b"\xff\xee")
    return data[:at] + data[at + 2 + int.from_bytes(data[at + 2 : at + 4]) :]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (
            put(GREY, FRAME + 1, b"\xc3"),
            "a lossless JPEG, which cannot be read: export it as a baseline JPEG or as PNG",
        ),
        (put(GREY, FRAME + 1, b"\xc9"), "a JPEG in arithmetic coding, which cannot be read: "),
        (put(GREY, FRAME + 1, b"\xc5"), "a hierarchical JPEG, which cannot be read: "),
        (put(GREY, FRAME + 1, b"\xf7"), "a JPEG-LS file: export it as a baseline JPEG or as PNG"),
        (put(GREY, FRAME + 4, b"\x0c"), "a JPEG of 12 bits, which cannot be read: export it as PNG of 16 bits"),
        (put(GREY, FRAME + 5, b"\0\0"), "damaged: its header says 800 x 0 pixels"),
        (put(GREY, FRAME + 5, b"\xea\x60\xea\x60"), "damaged: too few bytes for 60000 x 60000 pixels"),
        (put(GREY, FRAME + 9, b"\x02"), "damaged: its header is cut short"),
        (GREY[:FRAME] + GREY[FRAME : FRAME + 13] * 2 + GREY[FRAME + 13 :], "damaged: it has two headers"),
        (GREY[:FRAME] + GREY[FRAME + 13 :], "damaged: its pixels come before its header"),
        (GREY[:SCAN] + b"\xff\xd9", "damaged: it ends before its pixels begin"),
        (b"\xff\xd8\xff\xd8\xff\xd9", "damaged: its parts are in a wrong order"),
        (GREY[:2] + b"\xff\xe1\0\1" + GREY[2:], "damaged: a part of it has no length"),
        (GREY[:FRAME] + b"x" + GREY[FRAME:], "damaged: one of its parts does not begin where"),
        (saved(progressive=True)[:-2] + GREY[SCAN:-2] * 100 + b"\xff\xd9", "damaged: its pixels come in more than 100"),
        (b"\xff\xd8" + b"\xff\x01" * 30_000, "damaged: it has more than 20000 parts"),
        (without_adobe(saved(form="CMYK")), "a CMYK file that does not say whether it is inverted: export it in grey"),
    ],
)
def test_what_cannot_be_read_is_refused_in_words(data: bytes, reason: str) -> None:
    with pytest.raises(ImageError) as caught:
        jpeg.inspect(data)

    assert str(caught.value).startswith(reason)


def test_a_progressive_black_picture_holds_as_few_bytes_as_any() -> None:
    # The bound on pixels a byte must never refuse what a program wrote.
    assert jpeg.inspect(saved(4000, 4000, progressive=True, optimize=True, quality=1)).height == 4000
