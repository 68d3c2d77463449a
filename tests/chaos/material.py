"""The radiographs that chaos is made with: small, no two the same, some of them broken."""

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random

from benchmarks.material import synthetic_files

_DRAWN = 12


@dataclass(frozen=True, slots=True)
class Input:
    """A file that will be put into the folder.

    Attributes:
        name: Relative to the watched folder.
        data: Its bytes.
    """

    name: str
    data: bytes

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.data).hexdigest()


def inputs(random: Random, *, broken: float = 0.1, folders: int = 4) -> Iterator[Input]:
    """As many as are wanted: synthetic radiographs, and a share of files that are none.

    Args:
        random: Which is what.
        broken: The share of truncated, empty and other files, which are answered with a refusal.
        folders: Into how many subfolders they go, besides the folder itself.
    """
    drawn = list(synthetic_files(_DRAWN, 224))
    number = 0
    while True:
        folder = random.randrange(folders + 1)
        where = f"ward{folder}/" if folder else ""
        data = _numbered(random.choice(drawn), number)
        kind = random.random()
        if kind < broken / 3:
            data = data[: random.randrange(20, len(data) // 2)]
        elif kind < broken * 2 / 3:
            data = f"notes, no radiograph: {number}\n".encode()
        elif kind < broken:
            data = b""
        yield Input(f"{where}{number:06}.jpeg", data)
        number += 1


def put(folder: Path, one: Input) -> None:
    """Move a complete file in, as a careful sender does."""
    path = folder / one.name
    path.parent.mkdir(parents=True, exist_ok=True)
    hidden = path.with_name(f".{path.name}")
    hidden.write_bytes(one.data)
    os.replace(hidden, path)  # noqa: PTH105


def _numbered(jpeg: bytes, number: int) -> bytes:
    # A comment right after the start of the image: the same picture, other bytes.
    return jpeg[:2] + b"\xff\xfe\x00\x0a" + number.to_bytes(8, "big") + jpeg[2:]
