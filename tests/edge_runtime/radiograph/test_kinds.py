import io

import pytest
from PIL import Image

from edge_runtime.radiograph.kinds import foreign


def saved(kind: str) -> bytes:
    file = io.BytesIO()
    Image.new("L", (40, 40)).save(file, kind)
    return file.getvalue()


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (saved("TIFF"), "a TIFF file: export it as JPEG or PNG"),
        (b"MM\0*\0\0\0\x08", "a TIFF file: export it as JPEG or PNG"),
        (saved("GIF"), "a GIF file: export it as JPEG or PNG"),
        (saved("BMP"), "a BMP file: export it as JPEG or PNG"),
        (saved("WEBP"), "a WebP file: export it as JPEG or PNG"),
        (saved("JPEG2000"), "a JPEG 2000 file: export it as JPEG or PNG"),
        (bytes(128) + b"DICM\2\0\0\0UL", "a DICOM file: export it as JPEG or PNG"),
        (b"\0\0\0\x18ftypheic\0\0\0\0", "a HEIC file: export it as JPEG or PNG"),
        (b"%PDF-1.7\n", "a PDF file: export it as JPEG or PNG"),
        (b"PK\x03\x04rest", "a ZIP archive: unpack it"),
        (b"BMW is no bitmap, nor is a bitmap's name", "neither a JPEG nor a PNG file"),
        (b"RIFF\0\0\0\0WAVEfmt ", "neither a JPEG nor a PNG file"),
        (b"II", "neither a JPEG nor a PNG file"),
    ],
)
def test_another_kind_is_named_with_what_to_do(data: bytes, reason: str) -> None:
    assert str(foreign(data)) == reason
