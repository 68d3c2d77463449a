import os

import cv2
import numpy as np
import pytest

from edge_runtime.errors import ImageError
from edge_runtime.radiograph import careful
from edge_runtime.radiograph.decode import decode
from tests.fuzz import forms

PICTURE = np.random.default_rng(0).integers(0, 256, (240, 320), dtype=np.uint8)


@pytest.mark.parametrize("options", [[], [cv2.IMWRITE_JPEG_PROGRESSIVE, 1], [cv2.IMWRITE_JPEG_RST_INTERVAL, 4]])
def test_a_jpeg_that_is_damaged_among_its_pixels_is_refused(
    options: list[int], capfd: pytest.CaptureFixture[str]
) -> None:
    whole = forms.encoded(".jpg", PICTURE, *options)
    middle = len(whole) * 3 // 4
    damaged = whole[:middle] + whole[middle + 500 :]
    assert decode(damaged).shape == PICTURE.shape  # else there is nothing to notice
    capfd.readouterr()

    with pytest.raises(ImageError, match=r"^damaged: a part of its pixels cannot be read$"):
        careful.decode(damaged)

    np.testing.assert_array_equal(careful.decode(whole), decode(whole))
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("name", forms.READABLE)
def test_every_form_is_decoded_and_nothing_is_printed(name: str, capfd: pytest.CaptureFixture[str]) -> None:
    grey = careful.decode(forms.READABLE[name])

    assert capfd.readouterr().err == ""
    np.testing.assert_array_equal(grey, decode(forms.READABLE[name]))


def test_a_strange_but_whole_jpeg_is_decoded() -> None:
    assert careful.decode(forms.put(forms.JPEG, 11, b"\x03")).shape == (forms.HEIGHT, forms.WIDTH)  # JFIF 3


def test_the_standard_error_is_the_same_again(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ImageError, match=r"^damaged"):
        careful.decode(forms.REFUSED["checksum.png"])

    os.write(2, b"still here\n")

    assert capfd.readouterr().err == "still here\n"


def test_without_a_standard_error() -> None:
    kept = os.dup(2)
    os.close(2)
    try:
        grey = careful.decode(forms.JPEG)
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(2)
    finally:
        os.dup2(kept, 2)
        os.close(kept)

    assert grey.shape == (forms.HEIGHT, forms.WIDTH)


def test_no_descriptor_stays_open() -> None:
    careful.decode(forms.JPEG)
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208

    for _ in range(5):
        careful.decode(forms.JPEG)

    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208
