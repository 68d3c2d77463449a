"""Coverage-guided fuzzing of the path from a file's bytes to the model's input.

    pip install atheris
    python -m tests.fuzz.decode [--minutes 30]

libFuzzer, by way of atheris, follows which lines of this program's own readers a file reaches, and makes further files
from those that reach new ones. OpenCV is not instrumented; it gets what passes. The run ends at the first crash, at a
file that takes longer than ``--seconds`` or at more memory than ``--megabytes``; such a file is kept in
``tests/fuzz/found``, and the test suite replays it ever after.
"""

import argparse
import random
import struct
import sys
import tempfile
import zlib
from collections.abc import Sequence
from pathlib import Path

from tests.fuzz import forms

FOUND = Path(__file__).with_name("found")
_SAMPLES = Path(__file__).parents[2] / "samples"
_MOST_BYTES = 1 << 16
# Pictures that are allowed are small here, so that many files a second are tried.
_MOST_PIXELS = 4_000_000
# One PNG in so many keeps the wrong checksums that a change left.
_UNREPAIRED = 8

_WORDS = (
    *(bytes((0xFF, marker)) for marker in (*range(0xC0, 0xE3), 0xEE, 0xFE)),
    *(b"IHDR PLTE IDAT IEND tRNS eXIf iCCP zTXt iTXt tEXt acTL fcTL fdAT sBIT gAMA cHRM".split()),
    b"Exif\0\0II*\0",
    b"Exif\0\0MM\0*",
    b"Adobe",
    b"JFIF\0",
    b"\x12\x01\x03\0\x01\0\0\0\x06\0",
    struct.pack(">HH", 60_000, 60_000),
)


def try_one(data: bytes) -> None:
    """From bytes to model input, or refused in words; anything else is a fault.

    Raises:
        AssertionError: Something came out that must not.
    """
    from edge_runtime.errors import ImageError
    from edge_runtime.radiograph import careful
    from edge_runtime.radiograph.prepare import MODEL_HEIGHT, MODEL_WIDTH, prepare
    from edge_runtime.radiograph.reduce import Sides

    try:
        grey = careful.decode(data, least=Sides(32, 48), most_pixels=_MOST_PIXELS)
        assert grey.dtype == "uint8", grey.dtype
        assert grey.ndim == 2, grey.shape
        assert 0 < grey.size <= _MOST_PIXELS, grey.shape
        pixels = prepare(grey)
        assert pixels.shape == (1, MODEL_HEIGHT, MODEL_WIDTH, 1), pixels.shape
        assert pixels.dtype == "uint8", pixels.dtype
    except ImageError as error:
        reason = str(error)
        assert reason, "no reason"
        assert reason.isprintable(), reason


def repaired(data: bytes) -> bytes:
    """A PNG with the checksums it should have, as far as its parts can be told apart; all else as it is."""
    start = b"\x89PNG\r\n\x1a\n"
    if not data.startswith(start):
        return data
    parts, at = [start], len(start)
    while at + 12 <= len(data):
        length = int.from_bytes(data[at : at + 4])
        if at + 12 + length > len(data):
            break
        parts.append(forms.chunk(data[at + 4 : at + 8], data[at + 8 : at + 8 + length]))
        at += 12 + length
    return b"".join(parts) + data[at:]


def inflated(data: bytes, random_: random.Random) -> bytes:
    """A PNG some of whose pixels are others: what a change of the compressed bytes hardly ever achieves."""
    at = data.find(b"IDAT")
    if at < 4:
        return data
    length = int.from_bytes(data[at - 4 : at])
    try:
        raw = bytearray(zlib.decompressobj().decompress(data[at + 4 : at + 4 + length], 1 << 20))
    except zlib.error:
        return data
    for _ in range(random_.randint(1, 8)):
        if raw:
            raw[random_.randrange(len(raw))] = random_.randrange(256)
    return data[: at - 4] + forms.chunk(b"IDAT", zlib.compress(bytes(raw))) + data[at + 8 + length :]


def write_seeds(folder: Path) -> None:
    """What the fuzzer begins with."""
    for name, data in (forms.READABLE | forms.REFUSED).items():
        (folder / name).write_bytes(data)
    for path in sorted(_SAMPLES.glob("*.*"))[:2]:
        if path.stat().st_size <= _MOST_BYTES:
            (folder / path.name).write_bytes(path.read_bytes())


def _escaped(word: bytes) -> str:
    return "".join(f"\\x{byte:02x}" for byte in word)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.decode", description=__doc__.split("\n")[0])
    parser.add_argument("--minutes", type=float, default=30.0, metavar="N", help="default: %(default)g")
    parser.add_argument("--seconds", type=int, default=10, metavar="N", help="for one file (default: %(default)s)")
    parser.add_argument("--megabytes", type=int, default=512, metavar="N", help="in all (default: %(default)s)")
    args = parser.parse_args(arguments)
    try:
        import atheris
    except ImportError:
        sys.exit("error: atheris is not installed; 'pip install atheris' (Python 3.11 to 3.13, Linux on x86-64)")
    with atheris.instrument_imports(include=["edge_runtime.radiograph"]):
        from edge_runtime.radiograph import careful  # noqa: F401
    import cv2

    cv2.setNumThreads(1)

    def mutate(data: bytes, most: int, seed: int) -> bytes:
        random_ = random.Random(seed)
        changed: bytes = atheris.Mutate(data, len(data)) if random_.random() < 0.8 else inflated(data, random_)
        return (changed if random_.randrange(_UNREPAIRED) == 0 else repaired(changed))[:most]

    with tempfile.TemporaryDirectory(prefix="edge-pneumo-fuzz-") as place:
        corpus, words = Path(place, "corpus"), Path(place, "words")
        corpus.mkdir()
        write_seeds(corpus)
        words.write_text("".join(f'"{_escaped(word)}"\n' for word in _WORDS))
        options = (
            f"-max_total_time={60 * args.minutes:.0f}",
            f"-timeout={args.seconds}",
            f"-rss_limit_mb={args.megabytes}",
            f"-max_len={_MOST_BYTES}",
            f"-dict={words}",
            f"-artifact_prefix={FOUND}/",
            "-print_final_stats=1",
            "-verbosity=1",
        )
        atheris.Setup([sys.argv[0], *options, str(corpus)], try_one, custom_mutator=mutate)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
