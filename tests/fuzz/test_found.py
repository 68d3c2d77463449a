"""What the fuzzer begins with, and what it once found, on the path that it tries."""

import pytest

from tests.fuzz import decode, forms

FOUND = sorted(path for path in decode.FOUND.iterdir() if path.suffix != ".md")


@pytest.mark.parametrize("name", forms.READABLE | forms.REFUSED)
def test_a_seed_passes(name: str) -> None:
    decode.try_one((forms.READABLE | forms.REFUSED)[name])


def test_what_was_found_once_passes() -> None:
    for path in FOUND:
        decode.try_one(path.read_bytes())


def test_the_fuzzer_would_notice_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge_runtime.radiograph.jpeg.inspect", lambda _: 1 / 0)

    with pytest.raises(ZeroDivisionError):
        decode.try_one(forms.JPEG)


def test_a_repaired_png_has_its_checksums() -> None:
    broken = forms.REFUSED["checksum.png"]
    assert decode.repaired(broken) != broken
    assert decode.repaired(forms.PNG) == forms.PNG
    assert decode.repaired(forms.PNG[:-5]) == forms.PNG[:-5]
    assert decode.repaired(forms.JPEG) == forms.JPEG
