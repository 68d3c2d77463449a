import struct
import zlib

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_runtime.camera import chunk
from edge_runtime.finding import FILM_KEYWORD, Film
from edge_runtime.radiograph import careful
from tests.fuzz import forms

FILM = Film(sharpness=0.5, glare=0.02, inverted=True, grade="fair", camera="/dev/video0")
WORDS = b'{"sharpness":0.5,"glare":0.02,"inverted":true,"grade":"fair","camera":"/dev/video0"}'


def png(words: bytes, *, keyword: bytes = FILM_KEYWORD, kind: bytes = b"tEXt") -> bytes:
    return forms.png(before=forms.chunk(kind, keyword + b"\0" + words))


def test_what_is_put_in_is_read_again_and_the_pixels_are_the_same() -> None:
    with_chunk = chunk.put(forms.PNG, FILM)

    assert chunk.read(with_chunk) == FILM
    assert np.array_equal(careful.decode(with_chunk), forms.RAMP)
    assert cv2.imdecode(np.frombuffer(with_chunk, np.uint8), cv2.IMREAD_UNCHANGED) is not None


@pytest.mark.parametrize("camera", ["Kamera für Röntgen", "カメラ", "\U0001f4f7" * 200, ""])
def test_camera_may_be_called_anything(camera: str) -> None:
    film = Film(sharpness=0.5, glare=0.0, inverted=False, grade="good", camera=camera)

    assert chunk.read(chunk.put(forms.PNG, film)) == film


def test_well_formed_chunk_by_hand_is_read() -> None:
    assert chunk.read(png(WORDS)) == FILM


FOREIGN = {
    "none": forms.PNG,
    "jpeg": forms.JPEG,
    "empty file": b"",
    "start alone": forms.PNG[:8],
    "empty": png(b""),
    "no JSON": png(b"{"),
    "another JSON": png(b"[]"),
    "no UTF-8": png(b'{"camera":"\xff"}'),
    "field missing": png(WORDS.replace(b'"glare":0.02,', b"")),
    "glare over all": png(WORDS.replace(b"0.02", b"1.5")),
    "sharpness below nothing": png(WORDS.replace(b"0.5", b"-1")),
    "infinite": png(WORDS.replace(b"0.5", b"1e999")),
    "no number": png(WORDS.replace(b"0.5", b"NaN")),
    "another grade": png(WORDS.replace(b"fair", b"excellent")),
    "long name": png(WORDS.replace(b"/dev/video0", b"x" * 201)),
    "too long": png(WORDS[:-1] + b" " * 5000 + b"}"),
    "deep": png(b"[" * 4000),
    "compressed": png(zlib.compress(WORDS), kind=b"zTXt"),
    "another keyword": png(WORDS, keyword=b"edge-pneumo-films"),
    "wrong checksum": png(WORDS).replace(b"fair", b"good"),
    "behind the pixels": forms.png(after=forms.chunk(b"tEXt", FILM_KEYWORD + b"\0" + WORDS)),
    "behind many others": forms.png(
        before=forms.chunk(b"tEXt", b"x\0y") * 100 + forms.chunk(b"tEXt", FILM_KEYWORD + b"\0" + WORDS)
    ),
    "no end to it": forms.put(png(WORDS), 33, struct.pack(">I", 0xFFFFFFFF)),
}


@pytest.mark.parametrize("name", FOREIGN)
def test_what_is_malformed_or_foreign_says_nothing(name: str) -> None:
    assert chunk.read(FOREIGN[name]) is None


@given(st.binary(max_size=200), st.integers(0, 300), st.binary(max_size=8))
def test_whatever_stands_in_a_file_reading_it_never_fails(words: bytes, at: int, new: bytes) -> None:
    found = chunk.read(forms.put(png(words), at, new))

    assert found is None or isinstance(found, Film)


@pytest.mark.parametrize(
    ("sharpness", "glare", "says"),
    [
        (0.04, 0.3, "a poor photograph of a film: blurred (sharpness 0.04); wipe the lens"),
        (0.8, 0.3, "a poor photograph of a film: something shines on 30% of it; turn that lamp off"),
    ],
)
def test_poor_photograph_is_refused_with_what_to_do(sharpness: float, glare: float, says: str) -> None:
    poor = Film(sharpness=sharpness, glare=glare, inverted=False, grade="poor", camera="")

    assert (chunk.refusal(poor) or "").startswith(says)


def test_other_photographs_are_not_refused() -> None:
    assert chunk.refusal(FILM) is None
