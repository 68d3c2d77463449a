"""A hundred malformed files through a real watcher; ``python -m tests.fuzz.malformed`` takes two thousand."""

import re
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from edge_runtime.errors import ImageError
from edge_runtime.radiograph import careful
from edge_runtime.radiograph.prepare import prepare
from tests.fuzz import forms, malformed

# What a person reads of each of the files that must not be answered.
REASONS = {
    "empty.jpg": "empty file",
    "text.txt": "neither a JPEG nor a PNG file",
    "bmp.jpg": "a BMP file: export it as JPEG or PNG",
    "tiff.jpg": "a TIFF file: export it as JPEG or PNG",
    "gif.jpg": "a GIF file: export it as JPEG or PNG",
    "webp.jpg": "a WebP file: export it as JPEG or PNG",
    "dicom.jpg": "a DICOM file: export it as JPEG or PNG",
    "cut.jpg": "truncated: the end of the file is missing",
    "cut.png": "truncated: the end of the file is missing",
    "start.jpg": "truncated: the end of the file is missing",
    "lossless.jpg": "a lossless JPEG, which cannot be read: export it as a baseline JPEG or as PNG",
    "arithmetic.jpg": "a JPEG in arithmetic coding, which cannot be read: export it as a baseline JPEG or as PNG",
    "bits-12.jpg": "a JPEG of 12 bits, which cannot be read: export it as PNG of 16 bits or JPEG of 8",
    "huge.jpg": "damaged: too few bytes for 60000 x 60000 pixels",
    "huge-progressive.jpg": "damaged: too few bytes for 10000 x 10000 pixels",
    "no-height.jpg": "damaged: its header says 64 x 0 pixels",
    "one.png": "too small: 1 x 1 pixels, at least 32 a side needed",
    "one.jpg": "too small: 1 x 1 pixels, at least 32 a side needed",
    "huge.png": "damaged: too few bytes for 60000 x 60000 pixels",
    "hollow.png": "damaged: too few bytes for 2000 x 2000 pixels",
    "bomb.png": "damaged: too many bytes for 64 x 48 pixels",
    "no-palette.png": "damaged: its palette is missing",
    "wrong-depth.png": "damaged: its header cannot be read",
    "checksum.png": "damaged: its header is readable, its pixels are not",
}


@pytest.mark.parametrize("name", forms.REFUSED)
def test_each_kind_has_its_reason(name: str) -> None:
    with pytest.raises(ImageError, match=f"^{re.escape(REASONS[name])}$"):
        prepare(careful.decode(forms.REFUSED[name]))


def test_a_hundred_malformed_files_get_a_finding_each(tmp_path: Path) -> None:
    files = malformed.make(100)

    outcome = malformed.watch(files, tmp_path, "compact")

    assert malformed.faults(outcome, len(files), 256 * 10**6) == []
    assert len(set(files)) == 100
    assert len(outcome.refused) > 5


def test_what_goes_wrong_is_noticed() -> None:
    fine = malformed.Outcome(
        0, "", Counter({"00000.jpg": 1, "00001.png": 1}), Counter({"00000.jpg": 1, "00001.png": 1}), 1000, Counter()
    )

    assert malformed.faults(fine, 2, 1000) == []
    for bad in (
        replace(fine, code=-11),
        replace(fine, said="libpng warning"),
        replace(fine, found=Counter({"00000.jpg": 2, "00001.png": 1})),
        replace(fine, rows=Counter({"00001.png": 1})),
        replace(fine, peak=1001),
    ):
        assert len(malformed.faults(bad, 2, 1000)) == 1
