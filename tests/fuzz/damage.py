"""How much of the damage among a JPEG's coded pixels is noticed.

    python -m tests.fuzz.damage [--files 200]

Drawn radiographs are damaged in four ways behind their headers. A file has no checksum, so that what changes pixels
without putting the codes out of step cannot be noticed by anyone; how far the picture is off then is printed, too.
"""

import argparse
import statistics
from collections.abc import Callable, Sequence

import cv2
import numpy as np

from edge_runtime.errors import ImageError
from edge_runtime.radiograph import careful
from edge_runtime.radiograph.decode import decode
from tests.fuzz import forms
from tools import synthetic

Damage = Callable[[bytes, int, np.random.Generator], bytes]
KINDS: dict[str, Damage] = {
    "64 bytes missing": lambda data, at, _: data[:at] + data[at + 64 :],
    "16 zero bytes": lambda data, at, _: forms.put(data, at, bytes(16)),
    "64 random bytes": lambda data, at, random: forms.put(data, at, random.bytes(64)),
    "one bit": lambda data, at, random: forms.put(data, at, bytes((data[at] ^ 1 << int(random.integers(8)),))),
}
CODINGS: dict[str, Sequence[int]] = {
    "baseline": (),
    "restart markers": (cv2.IMWRITE_JPEG_RST_INTERVAL, 8),
    "progressive": (cv2.IMWRITE_JPEG_PROGRESSIVE, 1),
}


def unnoticed(data: bytes, damage: Damage, count: int) -> list[float]:
    """By how many grey levels on average the pictures are off whose damage was not noticed."""
    random, whole = np.random.default_rng(0), decode(data).astype(int)
    begin, off = data.find(b"\xff\xda") + 14, []
    for _ in range(count):
        damaged = damage(data, int(random.integers(begin, len(data) - 70)), random)
        try:
            picture = careful.decode(damaged)
        except ImageError:
            continue
        off.append(float(np.abs(picture - whole).mean()) if picture.shape == whole.shape else 255.0)
    return off


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.damage", description=__doc__.split("\n")[0])
    parser.add_argument("--files", type=int, default=200, metavar="N", help="of each kind (default: %(default)s)")
    args = parser.parse_args(arguments)
    picture = synthetic.draw(synthetic.load()["normal"], 3, 224, 224)
    for coding, options in CODINGS.items():
        data = forms.encoded(".jpg", picture, cv2.IMWRITE_JPEG_QUALITY, 90, *options)
        for kind, damage in KINDS.items():
            off = unnoticed(data, damage, args.files)
            levels = f"; the others off by {statistics.median(off):.1f} grey levels (median)" if off else ""
            print(f"{coding}, {kind}: {100 - 100 * len(off) / args.files:.0f} % noticed{levels}")


if __name__ == "__main__":
    main()
