import struct
import zlib

import cv2
import numpy as np
import pytest

from edge_runtime.errors import ImageError
from edge_runtime.radiograph import png
from edge_runtime.radiograph.decode import decode
from tests.fuzz import forms
from tests.fuzz.forms import chunk

GREY = forms.PNG


@pytest.mark.parametrize("name", [name for name in forms.READABLE if name.endswith(".png") and "named" not in name])
def test_the_header_is_read(name: str) -> None:
    header = png.inspect(forms.READABLE[name])

    assert (header.height, header.width) == (forms.HEIGHT, forms.WIDTH)
    assert header.interlaced == (name == "interlaced.png")


def test_what_is_cut_off_anywhere_is_truncated() -> None:
    for length in range(8, len(GREY), 5):
        with pytest.raises(ImageError, match=r"^truncated: the end of the file is missing$"):
            png.inspect(GREY[:length])


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (forms.put(GREY, 20, b"\x07"), "damaged: its header cannot be read"),  # the checksum is another one
        (forms.png(depth=3), "damaged: its header cannot be read"),
        (forms.png(colour=5), "damaged: its header cannot be read"),
        (forms.png(interlace=2), "damaged: its header cannot be read"),
        (forms.png(0, 40, raw=b""), "damaged: its header says 0 x 40 pixels"),
        (forms.png(colour=3), "damaged: its palette is missing"),
        (forms.png(before=chunk(b"ABCD", b"")), "damaged: it has parts that no PNG has"),
        (forms.png(before=chunk(b"\0\0\0\0", b"")), "damaged: it has parts that no PNG has"),
        (forms.png()[:33] + chunk(b"IEND", b""), "damaged: it ends before its pixels begin"),
        (forms.png(60_000, 60_000, raw=bytes(1000)), "damaged: too few bytes for 60000 x 60000 pixels"),
        (forms.png(raw=bytes(60_000_000)), "damaged: too many bytes for 64 x 48 pixels"),
        (forms.png(before=chunk(b"tIME", b"") * 200_000), "damaged: it has more than 200000 parts"),
    ],
)
def test_what_cannot_be_read_is_refused_in_words(data: bytes, reason: str) -> None:
    with pytest.raises(ImageError) as caught:
        png.inspect(data)

    assert str(caught.value) == reason


def test_the_decoder_sees_no_compressed_texts_and_no_animation() -> None:
    bomb = zlib.compress(bytes(8_000_000), 9)
    texts = chunk(b"zTXt", b"x\0\0" + bomb) + chunk(b"iCCP", b"x\0\0" + bomb) + chunk(b"iTXt", b"x\0\1\0\0\0" + bomb)
    frames = chunk(b"acTL", bytes(8)) + chunk(b"fcTL", bytes(26)) + chunk(b"fdAT", bytes(90))
    orientation = chunk(b"eXIf", b"MM\0*\0\0\0\x08\0\0")
    plain = forms.png(before=orientation)

    seen = png.inspect(forms.png(before=texts + orientation, after=frames)).seen

    assert seen == plain
    assert png.inspect(plain).seen is plain


def test_noise_that_does_not_compress_is_not_too_many_bytes() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (3000, 500), dtype=np.uint8)
    for level in (0, 1, 9):
        data = cv2.imencode(".png", noise, [cv2.IMWRITE_PNG_COMPRESSION, level])[1].tobytes()

        np.testing.assert_array_equal(decode(data), noise)


def test_an_even_picture_is_not_too_few_bytes() -> None:
    data = cv2.imencode(".png", np.zeros((4000, 4000), np.uint8), [cv2.IMWRITE_PNG_COMPRESSION, 9])[1].tobytes()

    assert png.inspect(data).height == 4000


def test_narrow_interlaced_pictures_are_not_too_many_bytes() -> None:
    # Seven passes of a picture of one column: a filter byte a row.
    raw = b"\0\0" * 5000
    assert png.inspect(forms.png(1, 5000, depth=1, interlace=1, raw=raw)).height == 5000


def test_a_header_of_another_length_is_refused() -> None:
    body = struct.pack(">IIBBBBB", 64, 48, 8, 0, 0, 0, 0) + b"\0"
    with pytest.raises(ImageError, match=r"^damaged: its header cannot be read$"):
        png.inspect(png.START + chunk(b"IHDR", body) + GREY[33:])
