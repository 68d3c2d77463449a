import io
import struct
import zlib
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

from edge_runtime.errors import ImageError
from edge_runtime.radiograph.decode import decode
from edge_runtime.radiograph.reduce import Sides

# Dark on the left, bright on the right, wider than high: turned, mirrored or inverted pictures show.
RAMP = np.tile(np.linspace(0, 255, 200).round().astype(np.uint8), (120, 1))
PICTURE = Image.fromarray(RAMP)


def saved(picture: Image.Image, kind: str, **options: Any) -> bytes:
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def jpeg(**options: Any) -> bytes:
    return saved(PICTURE, "JPEG", quality=95, **options)


def png16(samples: np.ndarray[Any, Any]) -> bytes:
    return bytes(cv2.imencode(".png", samples.astype(np.uint16))[1])


FORMS = {
    "JPEG grey": jpeg(),
    "JPEG progressive": jpeg(progressive=True),
    "JPEG colour": saved(PICTURE.convert("RGB"), "JPEG", quality=95),
    "JPEG CMYK": saved(PICTURE.convert("RGB").convert("CMYK"), "JPEG", quality=95),
    "JPEG with bytes behind its end": jpeg() + bytes(100),
    "PNG grey": saved(PICTURE, "PNG"),
    "PNG colour": saved(PICTURE.convert("RGB"), "PNG"),
    "PNG transparent colour": saved(Image.merge("RGBA", [PICTURE] * 3 + [Image.new("L", PICTURE.size, 0)]), "PNG"),
    "PNG transparent grey": saved(Image.merge("LA", [PICTURE, Image.new("L", PICTURE.size, 128)]), "PNG"),
    "PNG palette": saved(PICTURE.convert("RGB").quantize(256), "PNG"),
    "PNG palette with a transparent colour": saved(PICTURE.convert("RGB").quantize(256), "PNG", transparency=0),
    "PNG animated": saved(PICTURE, "PNG", save_all=True, append_images=[Image.new("L", PICTURE.size, 255)]),
    "PNG with bytes behind its end": saved(PICTURE, "PNG") + bytes(100),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_a_picture_gives_its_grey_levels(form: str) -> None:
    grey = decode(FORMS[form])

    assert grey.dtype == np.uint8
    assert grey.shape == RAMP.shape
    assert np.abs(grey.astype(int) - RAMP).max() <= 4


def test_black_and_white() -> None:
    grey = decode(saved(PICTURE.point(lambda level: 255 * (level > 127)).convert("1"), "PNG"))

    np.testing.assert_array_equal(grey, np.where(RAMP > 127, 255, 0))


def test_colour_becomes_luminance() -> None:
    colours = np.zeros((40, 120, 3), np.uint8)
    colours[:, :40, 0] = colours[:, 40:80, 1] = colours[:, 80:, 2] = 255

    grey = decode(saved(Image.fromarray(colours), "PNG"))

    assert grey[0, [20, 60, 100]].tolist() == pytest.approx([0.299 * 255, 0.587 * 255, 0.114 * 255], abs=1)


# What each EXIF orientation asks of the stored pixels to be seen upright (Exif 2.32, tag 0x0112).
ORIENTATIONS = {
    1: RAMP,
    2: RAMP[:, ::-1],
    3: RAMP[::-1, ::-1],
    4: RAMP[::-1],
    5: RAMP.T,
    6: np.rot90(RAMP, -1),
    7: np.rot90(RAMP, 2).T,
    8: np.rot90(RAMP),
}


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_exif_orientation_is_applied(orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation

    grey = decode(jpeg(exif=exif))

    expected = ORIENTATIONS[orientation]
    assert grey.shape == expected.shape
    assert np.abs(grey.astype(int) - expected).max() <= 4


LARGE = np.tile(np.linspace(0, 255, 1600).round().astype(np.uint8), (960, 1))


@pytest.mark.parametrize("orientation", [1, 3, 6])
@pytest.mark.parametrize(("form", "options"), [("L", {}), ("L", {"progressive": True}), ("RGB", {}), ("CMYK", {})])
def test_a_large_jpeg_is_reduced_as_far_as_it_may_be(orientation: int, form: str, options: dict[str, Any]) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    picture = Image.fromarray(LARGE).convert("RGB").convert(form)
    data = saved(picture, "JPEG", quality=95, exif=exif, **options)

    grey = decode(data, least=Sides(short=240, long=400))

    reduced = np.asarray(cv2.resize(LARGE, (400, 240), interpolation=cv2.INTER_AREA))
    expected = {1: reduced, 3: reduced[::-1, ::-1], 6: np.rot90(reduced, -1)}[orientation]
    assert grey.shape == expected.shape
    assert np.abs(grey.astype(int) - expected).max() <= 4


@pytest.mark.parametrize("least", [None, Sides(481, 800), Sides(480, 801)])
def test_what_would_become_too_small_is_not_reduced(least: Sides | None) -> None:
    data = saved(Image.fromarray(LARGE), "JPEG", quality=95)

    assert decode(data, least=least).shape == (960, 1600)
    assert decode(data, least=Sides(480, 800)).shape == (480, 800)


def test_a_png_is_not_reduced() -> None:
    samples = np.tile(np.linspace(0, 65535, 1600).astype(np.uint16), (960, 1))

    assert decode(saved(Image.fromarray(LARGE), "PNG"), least=Sides(1, 1)).shape == (960, 1600)
    np.testing.assert_array_equal(decode(png16(samples), least=Sides(1, 1)), decode(png16(samples)))


def test_a_large_jpeg_that_is_cut_off_is_refused_as_ever() -> None:
    data = saved(Image.fromarray(LARGE), "JPEG", quality=95)

    with pytest.raises(ImageError, match=r"^truncated"):
        decode(data[:-1], least=Sides(1, 1))


@pytest.mark.parametrize("highest", [65535, 4095, 700])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_sixteen_bits_fill_the_range(highest: int, channels: int) -> None:
    samples = np.tile(np.linspace(100, highest, 200), (120, 1))
    if channels > 1:
        samples = np.dstack([samples] * channels)

    grey = decode(png16(samples))

    assert grey.shape == RAMP.shape
    assert grey.dtype == np.uint8
    assert np.abs(grey.astype(int) - RAMP).max() <= 1


def test_a_hot_pixel_does_not_darken_sixteen_bits() -> None:
    samples = np.tile(np.linspace(0, 4095, 200), (120, 1))
    samples[60, 100] = 65535

    grey = decode(png16(samples))

    grey[60, 100] = RAMP[60, 100]
    assert np.abs(grey.astype(int) - RAMP).max() <= 2


def test_sixteen_equal_bits_are_no_division_by_zero() -> None:
    assert decode(png16(np.full((50, 50), 1234))).max() == 0


def test_an_empty_file_is_refused() -> None:
    with pytest.raises(ImageError, match=r"^empty file$"):
        decode(b"")


@pytest.mark.parametrize("data", [b"hello, this is text", b"\xff", bytes(1000)])
def test_no_picture_is_refused(data: bytes) -> None:
    with pytest.raises(ImageError, match=r"^neither a JPEG nor a PNG file$"):
        decode(data)


@pytest.mark.parametrize("form", ["JPEG grey", "JPEG progressive", "PNG grey", "PNG palette"])
def test_a_picture_cut_off_anywhere_is_refused(form: str) -> None:
    data = FORMS[form]

    for length in range(3, len(data), max(1, len(data) // 50)):
        with pytest.raises(ImageError):
            decode(data[:length])


@pytest.mark.parametrize("form", ["JPEG grey", "JPEG progressive", "PNG grey"])
def test_a_picture_that_lacks_its_last_byte_is_truncated(form: str) -> None:
    with pytest.raises(ImageError, match=r"^truncated"):
        decode(FORMS[form][:-1])


def test_a_cut_picture_with_a_whole_thumbnail_is_truncated() -> None:
    thumbnail = saved(PICTURE.resize((16, 16)), "JPEG")
    exif = b"\xff\xe1" + struct.pack(">H", len(thumbnail) + 8) + b"Exif\0\0" + thumbnail
    data = jpeg()
    with_thumbnail = data[:2] + exif + data[2:]
    assert decode(with_thumbnail).shape == RAMP.shape

    with pytest.raises(ImageError, match=r"^truncated"):
        decode(with_thumbnail[:-50])


def test_a_png_with_a_wrong_checksum_is_damaged() -> None:
    data = bytearray(FORMS["PNG grey"])
    data[-30] ^= 0x55

    with pytest.raises(ImageError, match=r"^damaged"):
        decode(bytes(data))


def test_a_png_that_holds_less_than_it_promises_is_damaged() -> None:
    with pytest.raises(ImageError, match=r"^damaged"):
        decode(hollow_png(2000, 2000, 200_000))


def test_what_is_too_large_is_refused_by_its_header() -> None:
    picture = saved(Image.fromarray(LARGE), "PNG")

    with pytest.raises(ImageError, match=r"^too large: 1600 x 960 pixels, at most 1.5 megapixels are decoded$"):
        decode(picture, most_pixels=1_500_000)

    assert decode(picture, most_pixels=1600 * 960).shape == (960, 1600)


@pytest.mark.parametrize(("width", "height"), [(60_000, 60_000), (1, 2**31 - 1), (2_000_000_000, 1)])
def test_a_size_that_the_bytes_cannot_hold_costs_nothing(width: int, height: int) -> None:
    with pytest.raises(ImageError, match=r"^(damaged: too few bytes for|too large)"):
        decode(hollow_png(width, height, 1000))


def test_sixteen_bits_as_numpy_would_map_them() -> None:
    samples = np.random.default_rng(0).normal(2000, 500, (70, 90)).clip(0, 4095).astype(np.uint16)

    low, high = np.percentile(samples, (0.1, 99.9))
    expected = np.clip(np.rint((samples - low) * (255 / (high - low))), 0, 255)

    assert np.abs(decode(png16(samples)) - expected).max() <= 1


def hollow_png(width: int, height: int, pixels: int) -> bytes:
    """A PNG of so many black pixels whose header says otherwise."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    body = zlib.compress(bytes(pixels))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", body) + chunk(b"IEND", b"")
