"""What a file is that is neither JPEG nor PNG, by its first bytes, so that a refusal can say what to do about it."""

from typing import Final

from edge_runtime.errors import ImageError

# Where the signature stands, the signature, and what such a file is called.
_SIGNATURES: Final = (
    (128, b"DICM", "a DICOM file"),
    (0, b"II*\0", "a TIFF file"),
    (0, b"MM\0*", "a TIFF file"),
    (0, b"II+\0", "a TIFF file"),
    (0, b"MM\0+", "a TIFF file"),
    (0, b"GIF8", "a GIF file"),
    (8, b"WEBP", "a WebP file"),
    (0, b"\0\0\0\x0cjP  ", "a JPEG 2000 file"),
    (0, b"\xff\x4f\xff\x51", "a JPEG 2000 file"),
    (0, b"\0\0\0\x0cJXL ", "a JPEG XL file"),
    (0, b"\xff\x0a", "a JPEG XL file"),
    (4, b"ftypheic", "a HEIC file"),
    (4, b"ftypmif1", "a HEIC file"),
    (4, b"ftypavif", "an AVIF file"),
    (0, b"\x8aMNG\r\n\x1a\n", "an MNG animation"),
    (0, b"8BPS", "a Photoshop file"),
    (0, b"%PDF-", "a PDF file"),
    (0, b"PK\x03\x04", "a ZIP archive"),
    (0, b"\x1f\x8b\x08", "a gzip file"),
    (0, b"BM", "a BMP file"),
)
_BMP: Final = "a BMP file"
# Two letters are a weak signature; the length of the header that follows them is one of these.
_BMP_HEADERS: Final = frozenset({12, 16, 40, 52, 56, 64, 108, 124})
_ARCHIVES: Final = frozenset({"a ZIP archive", "a gzip file"})


def foreign(data: bytes) -> ImageError:
    """Why a file that is neither JPEG nor PNG is refused."""
    for at, signature, name in _SIGNATURES:
        if not data.startswith(signature, at):
            continue
        if name == _BMP and int.from_bytes(data[14:18], "little") not in _BMP_HEADERS:
            continue
        return ImageError(f"{name}: unpack it" if name in _ARCHIVES else f"{name}: export it as JPEG or PNG")
    return ImageError("neither a JPEG nor a PNG file")
