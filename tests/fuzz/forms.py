"""Small files of every form that a radiograph may come in, and of many that it may not."""

import io
import struct
import zlib
from typing import Any

import cv2
import numpy as np
from PIL import Image

WIDTH, HEIGHT = 64, 48
RAMP = np.tile(np.linspace(0, 255, WIDTH).round().astype(np.uint8), (HEIGHT, 1))
GREY = Image.fromarray(RAMP)
COLOUR = GREY.convert("RGB")


def saved(picture: Image.Image, kind: str, **options: Any) -> bytes:
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def encoded(suffix: str, pixels: Any = RAMP, *options: int) -> bytes:
    done, data = cv2.imencode(suffix, pixels, options)
    assert done
    return data.tobytes()


def turned(orientation: int) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return saved(GREY, "JPEG", exif=exif)


def chunk(kind: bytes, body: bytes) -> bytes:
    """A part of a PNG, with its checksum."""
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(
    width: int = WIDTH,
    height: int = HEIGHT,
    *,
    depth: int = 8,
    colour: int = 0,
    interlace: int = 0,
    raw: bytes | None = None,
    before: bytes = b"",
    after: bytes = b"",
) -> bytes:
    """A PNG by hand, black if nothing else is said: its header need not be true."""
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlace)
    samples = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}.get(colour, 1)
    pixels = bytes(height * (1 + (width * depth * samples + 7) // 8)) if raw is None else raw
    return b"".join(
        (
            b"\x89PNG\r\n\x1a\n",
            chunk(b"IHDR", header),
            before,
            chunk(b"IDAT", zlib.compress(pixels)),
            after,
            chunk(b"IEND", b""),
        )
    )


def with_segment(data: bytes, marker: int, body: bytes) -> bytes:
    """A JPEG with another segment in front."""
    return data[:2] + bytes((0xFF, marker)) + struct.pack(">H", len(body) + 2) + body + data[2:]


def put(data: bytes, at: int, new: bytes) -> bytes:
    """With other bytes at a place."""
    return data[:at] + new + data[at + len(new) :]


# What a camera of this program puts into a film's PNG.
_FILM = (
    b'edge-pneumo-film\0{"sharpness": 0.5, "glare": 0.0, "inverted": false, "grade": "good", "camera": "/dev/video0"}'
)
JPEG = saved(GREY, "JPEG", quality=90)
PNG = saved(GREY, "PNG")
_PROGRESSIVE = encoded(".jpg", RAMP, cv2.IMWRITE_JPEG_PROGRESSIVE, 1)


def frame(data: bytes) -> int:
    """Where the frame header of a JPEG of this module begins."""
    return next(at for at in (data.find(b"\xff\xc0"), data.find(b"\xff\xc2")) if at > 0)


READABLE = {
    "baseline.jpg": JPEG,
    "progressive.jpg": _PROGRESSIVE,
    "restart.jpg": encoded(".jpg", RAMP, cv2.IMWRITE_JPEG_RST_INTERVAL, 2),
    "colour.jpg": saved(COLOUR, "JPEG", quality=90),
    "subsampled-no.jpg": saved(COLOUR, "JPEG", subsampling=0),
    "cmyk.jpg": saved(COLOUR.convert("CMYK"), "JPEG"),
    "turned.jpg": turned(6),
    "trailing.jpg": JPEG + b"rubbish" * 9,
    "two.jpg": JPEG + saved(GREY.rotate(180), "JPEG"),
    "extended.jpg": put(JPEG, frame(JPEG) + 1, b"\xc1"),
    "grey.png": PNG,
    "colour.png": saved(COLOUR, "PNG"),
    "palette.png": saved(COLOUR.quantize(16), "PNG"),
    "alpha.png": saved(COLOUR.convert("RGBA"), "PNG"),
    "grey-alpha.png": saved(GREY.convert("LA"), "PNG"),
    "bits-1.png": saved(GREY.convert("1"), "PNG"),
    "bits-2.png": png(depth=2),
    "bits-16.png": encoded(".png", RAMP.astype(np.uint16) * 257),
    "colour-16.png": encoded(".png", np.dstack([RAMP.astype(np.uint16) * 16] * 3)),
    "interlaced.png": png(interlace=1, raw=bytes(4000)),
    "animated.png": saved(GREY, "PNG", save_all=True, append_images=[GREY.rotate(90)]),
    "text.png": png(before=chunk(b"zTXt", b"Comment\0\0" + zlib.compress(b"text" * 99))),
    "film.png": png(before=chunk(b"tEXt", _FILM)),
    "film-odd.png": png(before=chunk(b"tEXt", _FILM.replace(b"0.5", b'[[[["') + b"\xff")),
    "profile.png": png(before=chunk(b"iCCP", b"x\0\0" + zlib.compress(b"no profile" * 20))),
    "jpeg-named.png": JPEG,
}

REFUSED = {
    "empty.jpg": b"",
    "text.txt": b"hello, this is text",
    "bmp.jpg": saved(GREY, "BMP"),
    "tiff.jpg": saved(GREY, "TIFF"),
    "gif.jpg": saved(GREY, "GIF"),
    "webp.jpg": saved(GREY, "WEBP"),
    "dicom.jpg": bytes(128) + b"DICM" + bytes(100),
    "cut.jpg": JPEG[:-30],
    "cut.png": PNG[:-30],
    "start.jpg": JPEG[:3],
    "lossless.jpg": put(JPEG, frame(JPEG) + 1, b"\xc3"),
    "arithmetic.jpg": put(JPEG, frame(JPEG) + 1, b"\xc9"),
    "bits-12.jpg": put(JPEG, frame(JPEG) + 4, b"\x0c"),
    "huge.jpg": put(JPEG, frame(JPEG) + 5, struct.pack(">HH", 60_000, 60_000)),
    "huge-progressive.jpg": put(_PROGRESSIVE, frame(_PROGRESSIVE) + 5, struct.pack(">HH", 10_000, 10_000)),
    "no-height.jpg": put(JPEG, frame(JPEG) + 5, b"\0\0"),
    "one.png": png(1, 1),
    "one.jpg": encoded(".jpg", RAMP[:1, :1]),
    "huge.png": png(60_000, 60_000, raw=bytes(1000)),
    "hollow.png": png(2000, 2000, raw=bytes(1000)),
    "bomb.png": png(raw=bytes(60_000_000)),
    "no-palette.png": png(colour=3),
    "wrong-depth.png": png(depth=3),
    "checksum.png": put(PNG, len(PNG) - 30, bytes((PNG[-30] ^ 0x55,))),
}
