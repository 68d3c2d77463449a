"""The data set on disk: reading the Kaggle layout, naming patients and types, cutting a validation set by patient."""

import hashlib
import random
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from edge_runtime.errors import ImageError, UsageError
from edge_runtime.radiograph.decode import decode
from edge_runtime.radiograph.prepare import prepare

_IMAGE_SUFFIXES = {".jpeg", ".jpg", ".png"}
_PNEUMONIA_NAME = re.compile(r"(?P<patient>person\d+)_(?P<type>bacteria|virus)_", re.IGNORECASE)
_NORMAL_NAME = re.compile(r"IM-(?P<patient>\d+)")
_TYPES = {"bacteria": "bacterial", "virus": "viral"}

# What the network should answer: shares of normal, bacterial, viral. A pneumonia of unknown type teaches the sum alone.
TARGETS = {
    "normal": (1.0, 0.0, 0.0),
    "bacterial": (0.0, 1.0, 0.0),
    "viral": (0.0, 0.0, 1.0),
    "pneumonia": (0.0, 0.5, 0.5),
}


class Image(msgspec.Struct, frozen=True):
    """One radiograph of the data set: its file below the root, and what its folder and name tell."""

    file: str
    sha256: str
    label: str
    patient: str
    split: str


class Manifest(msgspec.Struct, frozen=True):
    """Every image that took part in a run, with the split it was in."""

    images: tuple[Image, ...]

    def of(self, split: str) -> tuple[Image, ...]:
        """The images of ``train``, ``validation`` or ``test``."""
        return tuple(image for image in self.images if image.split == split)

    def sha256(self) -> str:
        """A hash over the files, labels and splits."""
        return hashlib.sha256(msgspec.json.encode(self)).hexdigest()


def read(root: Path, *, validation_share: float = 0.1, seed: int = 0, limit: int | None = None) -> Manifest:
    """Read a folder of the Kaggle layout ``{train,val,test}/{NORMAL,PNEUMONIA}`` and cut a validation set by patient.

    The official ``val`` (16 images) is too small to decide with and is folded into the training images. No patient, and
    no picture that exists twice, stands on both sides of the cut.

    Args:
        root: The folder that holds ``train`` and ``test``, and ``val`` if there is one.
        validation_share: Share of the training images to validate with.
        seed: Chooses the patients of the validation set, and the images of a trial run.
        limit: Keep only about this many images of each split, for a trial run.

    Returns:
        The images of ``train``, ``validation`` and ``test``.

    Raises:
        UsageError: The folder is something else, or a class has no image.
    """
    for folder in ("train", "test"):
        for label in ("NORMAL", "PNEUMONIA"):
            if not (root / folder / label).is_dir():
                raise UsageError(
                    f"{root} has no folder {folder}/{label}: give the folder that holds "
                    "{train,val,test}/{NORMAL,PNEUMONIA} of the chest X-ray data set."
                )
    fitting = _scan(root, "train") + _scan(root, "val")
    testing = _scan(root, "test")
    for folder, images in (("train", fitting), ("test", testing)):
        for label in ("NORMAL", "PNEUMONIA"):
            if not any((image.label == "normal") == (label == "NORMAL") for image in images):
                raise UsageError(f"{root / folder / label} holds no image: put its radiographs there and start again.")
    fitting, testing = _limited(fitting, limit, seed), _limited(testing, limit, seed)
    validation = _cut_by_patient(fitting, validation_share, seed)
    split = [
        msgspec.structs.replace(image, split="validation") if image.file in validation else image for image in fitting
    ]
    return Manifest((*split, *(msgspec.structs.replace(image, split="test") for image in testing)))


def load_pixels(root: Path, images: Sequence[Image]) -> NDArray[np.uint8]:
    """Decode and squash images as the device does.

    Returns:
        ``uint8`` array ``(n, 224, 224, 1)``.

    Raises:
        UsageError: A file cannot be read as an image; it is named.
    """
    with ThreadPoolExecutor() as pool:
        rows = list(pool.map(lambda image: _load(root / image.file), images))
    return np.concatenate(rows) if rows else np.zeros((0, 224, 224, 1), np.uint8)


def targets(images: Iterable[Image]) -> NDArray[np.float32]:
    """What the network should answer: ``float32`` of shape ``(n, 3)``."""
    return np.array([TARGETS[image.label] for image in images], np.float32).reshape(-1, 3)


def is_pneumonia(images: Iterable[Image]) -> NDArray[np.bool_]:
    """Which images show pneumonia: ``bool`` of shape ``(n,)``."""
    return np.array([image.label != "normal" for image in images], np.bool_)


def describe(file: Path) -> tuple[str, str]:
    """The label and the patient that a file's folder and name tell.

    ``person1000_bacteria_2931.jpeg`` is patient ``person1000``, bacterial; ``NORMAL2-IM-0095-0001.jpeg`` is normal, of
    the patient after ``IM-``. A name of another form is a patient of its own, its pneumonia of unknown type.
    """
    if file.parent.name == "NORMAL":
        found = _NORMAL_NAME.search(file.name)
        return "normal", f"IM-{found['patient']}" if found else file.stem
    found = _PNEUMONIA_NAME.match(file.name)
    return (_TYPES[found["type"].lower()], found["patient"]) if found else ("pneumonia", file.stem)


def _scan(root: Path, folder: str) -> list[Image]:
    files = sorted(
        file
        for label in ("NORMAL", "PNEUMONIA")
        if (root / folder / label).is_dir()
        for file in (root / folder / label).iterdir()
        if file.suffix.lower() in _IMAGE_SUFFIXES and not file.name.startswith(".")
    )
    images = []
    for file in files:
        label, patient = describe(file)
        digest = hashlib.sha256(file.read_bytes()).hexdigest()
        # Patient numbers start anew in each official split.
        images.append(Image(file.relative_to(root).as_posix(), digest, label, f"{folder}/{patient}", "train"))
    return images


def _load(file: Path) -> NDArray[np.uint8]:
    try:
        return prepare(decode(file.read_bytes()))
    except (ImageError, OSError) as error:
        raise UsageError(f"{file} cannot be read ({error}): replace or remove it and start again.") from error


def _limited(images: list[Image], limit: int | None, seed: int) -> list[Image]:
    if limit is None or limit >= len(images):
        return images
    chosen: list[Image] = []
    by_label = _grouped(images, lambda image: image.label)
    for label in sorted(by_label):
        group = by_label[label]
        count = max(2, round(limit * len(group) / len(images)))
        chosen += random.Random(f"{seed}/{label}").sample(group, min(count, len(group)))
    return sorted(chosen, key=lambda image: image.file)


def _cut_by_patient(images: list[Image], share: float, seed: int) -> set[str]:
    """Files of whole patients, drawn label by label until each label has its share."""
    group_of = _joined(images)
    members: dict[str, list[Image]] = defaultdict(list)
    for image in images:
        members[group_of[image.file]].append(image)
    groups = sorted(members)
    random.Random(seed).shuffle(groups)
    wanted = {label: share * len(group) for label, group in _grouped(images, lambda image: image.label).items()}
    taken: set[str] = set()
    for group in groups:
        labels = {image.label for image in members[group]}
        # A patient with images of two labels is taken only while both want more.
        if all(wanted[label] >= 0.5 for label in labels):
            taken.update(image.file for image in members[group])
            for image in members[group]:
                wanted[image.label] -= 1
    return taken


def _joined(images: list[Image]) -> dict[str, str]:
    """A group for each file, such that one patient's files and identical files share a group."""
    parent: dict[str, str] = {}

    def root_of(key: str) -> str:
        while parent.setdefault(key, key) != key:
            key = parent[key]
        return key

    for image in images:
        parent[root_of(f"hash/{image.sha256}")] = root_of(image.patient)
    return {image.file: root_of(image.patient) for image in images}


def _grouped(images: Iterable[Image], key: Callable[[Image], str]) -> dict[str, list[Image]]:
    groups: dict[str, list[Image]] = defaultdict(list)
    for image in images:
        groups[key(image)].append(image)
    return groups
