import io
from typing import Any

import pytest
from PIL import Image

from edge_runtime.radiograph.reduce import Sides, factor, jpeg_size


def jpeg(width: int = 800, height: int = 600, form: str = "L", **options: Any) -> bytes:
    file = io.BytesIO()
    Image.new(form, (width, height)).save(file, "JPEG", **options)
    return file.getvalue()


def with_thumbnail(data: bytes) -> bytes:
    """The same picture, with a small JPEG in a segment before it."""
    thumbnail = jpeg(32, 24)
    return data[:2] + b"\xff\xe1" + (len(thumbnail) + 8).to_bytes(2) + b"Exif\0\0" + thumbnail + data[2:]


@pytest.mark.parametrize(
    "data",
    [
        jpeg(),
        jpeg(progressive=True),
        jpeg(form="RGB"),
        jpeg(comment=b"\xff\xd9 \xff\xc0"),
        with_thumbnail(jpeg()),
        jpeg()[:2] + b"\xff\xff\xff" + jpeg()[2:],  # a marker may be filled with 0xFF
    ],
    ids=["baseline", "progressive", "colour", "comment", "thumbnail", "filled"],
)
def test_the_size_is_found(data: bytes) -> None:
    assert jpeg_size(data) == (600, 800)


def test_no_size_where_there_is_none() -> None:
    data = jpeg()
    start = data.index(b"\xff\xc0")

    assert [jpeg_size(data[:length]) for length in range(start + 9)] == [None] * (start + 9)
    assert jpeg_size(b"\xff\xd8\xff\xd9" + data[2:]) is None
    assert jpeg_size(b"\xff\xd8rubbish" * 10) is None
    assert jpeg_size(b"\xff\xd8\xff\xda" + data[2:]) is None


@pytest.mark.parametrize(
    ("least", "by"),
    [
        (Sides(75, 100), 8),
        (Sides(76, 100), 4),
        (Sides(75, 101), 4),
        (Sides(150, 200), 4),
        (Sides(300, 400), 2),
        (Sides(301, 400), 1),
        (Sides(1000, 1000), 1),
    ],
)
@pytest.mark.parametrize("size", [(800, 600), (600, 800)])
def test_both_sides_keep_their_pixels_whichever_is_longer(size: tuple[int, int], least: Sides, by: int) -> None:
    assert factor(jpeg(*size), least) == by


def test_what_cannot_be_told_is_not_reduced() -> None:
    assert factor(b"\xff\xd8\xff", Sides(1, 1)) == 1
