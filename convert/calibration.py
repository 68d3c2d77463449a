"""Which images set the integer ranges, and which ones judge the result.

The calibration images come from a folder; the manifest beside the trained model, where there is one, tells which of
them must stay out because the model is validated or tested with them. Files are recognised by their content, not by
their names.
"""

import hashlib
import json
import random
from collections import defaultdict
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from edge_runtime.errors import ImageError, UsageError
from edge_runtime.radiograph.decode import decode
from edge_runtime.radiograph.prepare import prepare

FEWEST: Final = 20
_SUFFIXES = {".jpeg", ".jpg", ".png"}
_NORMAL = "normal"
_TYPES = {"_bacteria_": "bacterial", "_virus_": "viral"}


@dataclass(frozen=True)
class Image:
    """A labelled file, by its path, its path as reported, and the SHA-256 of its bytes."""

    path: Path
    name: str
    sha256: str
    label: str

    @property
    def pneumonia(self) -> bool:
        """Whether it shows pneumonia."""
        return self.label != _NORMAL


@dataclass(frozen=True)
class Manifest:
    """The data a model was trained with: the rows of ``manifest.json`` by SHA-256, and the hash of that file."""

    rows: dict[str, dict[str, str]]
    sha256: str

    def split_of(self, digest: str) -> str | None:
        """``train``, ``validation``, ``test``, or ``None`` for a file that took no part."""
        row = self.rows.get(digest)
        return None if row is None else row["split"]


def read_manifest(path: Path) -> Manifest | None:
    """The manifest, or ``None`` if there is none.

    Raises:
        UsageError: It is damaged.
    """
    if not path.is_file():
        return None
    data = path.read_bytes()
    try:
        images = json.loads(data)["images"]
        rows = {row["sha256"]: {key: str(row[key]) for key in ("file", "label", "split")} for row in images}
    except (ValueError, KeyError, TypeError) as error:
        raise UsageError(f"{path} is no manifest of training data: train again, or give --validation DIR.") from error
    return Manifest(rows, hashlib.sha256(data).hexdigest())


def scan(folder: Path, manifest: Manifest | None = None) -> list[Image]:
    """The JPEG and PNG files below a folder, labelled by the manifest or else by their folder and name.

    Raises:
        UsageError: The folder is missing or holds no image.
    """
    if not folder.is_dir():
        raise UsageError(f"There is no folder {folder}: give a folder of radiographs, such as DATA/train.")
    files = sorted(f for f in folder.rglob("*") if f.suffix.lower() in _SUFFIXES and not f.name.startswith("."))
    if not files:
        raise UsageError(f"{folder} holds no JPEG or PNG file: give a folder of radiographs, such as DATA/train.")
    with ThreadPoolExecutor() as pool:
        digests = list(pool.map(lambda file: hashlib.sha256(file.read_bytes()).hexdigest(), files))
    rows = {} if manifest is None else manifest.rows
    return [
        Image(
            file,
            file.relative_to(folder.parent).as_posix(),
            digest,
            rows[digest]["label"] if digest in rows else _label(file),
        )
        for file, digest in zip(files, digests, strict=True)
    ]


def without(images: Sequence[Image], validation: Sequence[Image], manifest: Manifest | None) -> list[Image]:
    """The images that may calibrate: none that validates or tests the model, and of identical files one.

    Raises:
        UsageError: Fewer than 20 are left.
    """
    closed = {image.sha256 for image in validation}
    free = []
    for image in images:
        split = None if manifest is None else manifest.split_of(image.sha256)
        if image.sha256 not in closed and split not in ("validation", "test"):
            free.append(image)
            closed.add(image.sha256)
    if len(free) < FEWEST:
        raise UsageError(
            f"Only {len(free)} of {len(images)} images may calibrate, because the rest validate or test the model or "
            f"are copies, and at least {FEWEST} are needed: give --calibration the folder the model was trained with."
        )
    return free


def choose(images: Sequence[Image], *, count: int, seed: int, skip: int = 0) -> list[Image]:
    """Draw a calibration set in which each label has its share.

    Args:
        images: The candidates.
        count: How many to draw; about, since every label has a whole number, and one at least.
        seed: Decides which.
        skip: Pass over what a draw of so many would have taken: draws with ``skip=0`` and with ``skip=count`` share no
            image.

    Raises:
        UsageError: Too few images are left.
    """
    groups: dict[str, list[Image]] = defaultdict(list)
    for image in sorted(images, key=lambda image: image.sha256):
        groups[image.label].append(image)
    chosen = []
    for label in sorted(groups):
        group = groups[label]
        random.Random(f"{seed}/{label}").shuffle(group)
        first = _share(skip, len(group), len(images))
        chosen += group[first : first + _share(count, len(group), len(images))]
    if len(chosen) < min(count, FEWEST):
        raise UsageError(f"Only {len(chosen)} images are left to calibrate with: ask for fewer with --images.")
    return sorted(chosen, key=lambda image: image.name)


def validation_set(manifest: Manifest | None, near: Path) -> list[Image]:
    """The images the manifest keeps for validation, found at or above the calibration folder.

    Raises:
        UsageError: There is no manifest, or its files are not there.
    """
    rows = {} if manifest is None else {d: row for d, row in manifest.rows.items() if row["split"] == "validation"}
    if not rows:
        raise UsageError(
            "There are no validation images to compare the int8 model with the float model on: "
            "keep manifest.json beside the model, or give --validation DIR."
        )
    first = next(iter(rows.values()))["file"]
    root = next((folder for folder in (near, *near.resolve().parents) if (folder / first).is_file()), None)
    if root is None:
        raise UsageError(
            f"The validation image {first} is not below {near} or a folder above it: give --validation DIR."
        )
    return [Image(root / row["file"], row["file"], digest, row["label"]) for digest, row in sorted(rows.items())]


def load(images: Iterable[Image], height: int, width: int) -> NDArray[np.uint8]:
    """Decode and squash as the device does: ``uint8`` of shape ``(n, height, width, 1)``.

    Raises:
        UsageError: A file cannot be read, or is not the one the manifest means.
    """
    with ThreadPoolExecutor() as pool:
        return np.concatenate(list(pool.map(lambda image: _load(image, height, width), images)))


def as_json(images: Sequence[Image], *, seed: int) -> dict[str, Any]:
    """The calibration set's manifest, as the bundle keeps it."""
    counts: dict[str, int] = defaultdict(int)
    for image in images:
        counts[image.label] += 1
    rows = [{"file": image.name, "sha256": image.sha256, "label": image.label} for image in images]
    return {"seed": seed, "counts": dict(sorted(counts.items())), "images": rows}


def _load(image: Image, height: int, width: int) -> NDArray[np.uint8]:
    try:
        data = image.path.read_bytes()
        if hashlib.sha256(data).hexdigest() != image.sha256:
            raise UsageError(f"{image.path} is not the file the model was trained with: restore it, or train again.")
        return prepare(decode(data), height, width)
    except (ImageError, OSError) as error:
        raise UsageError(f"{image.path} cannot be read ({error}): replace or remove it and start again.") from error


def _label(file: Path) -> str:
    if file.parent.name.lower() == _NORMAL:
        return _NORMAL
    return next((label for part, label in _TYPES.items() if part in file.name.lower()), "pneumonia")


def _share(count: int, size: int, total: int) -> int:
    """How many of a draw of ``count`` fall to a group of ``size`` in ``total``."""
    return 0 if count == 0 else max(1, round(count * size / total))
