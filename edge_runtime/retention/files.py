"""Removing findings and heat maps: the journal's, in the results folder, and nothing else."""

import contextlib
import os
from dataclasses import dataclass
from typing import Final

import msgspec

from edge_runtime import inside
from edge_runtime.finding import Finding, from_json
from edge_runtime.sinks import names

_FINDING: Final = b".json"
_MAP: Final = b".heatmap.png"
_MOST_BYTES: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer of the journal.

    Attributes:
        id: Its row.
        file: The finding's, relative to the results; empty where it has gone.
        sha256: Of the radiograph.
        finished: When the answer was ready.
    """

    id: int
    file: bytes
    sha256: str | None
    finished: str


def map_of(file: bytes) -> bytes:
    """The heat map beside a finding; nothing where the file's name is none of a finding."""
    return file.removesuffix(_FINDING) + _MAP if file.endswith(_FINDING) else b""


def photograph_of(file: bytes) -> bytes:
    """The photograph beside a finding; nothing where the file's name is none of a finding."""
    return names.photograph_of(file) if file.endswith(_FINDING) else b""


def is_of(root: int, answer: Answer) -> bool | None:
    """Whether the finding that lies there is this answer's; ``None`` where there is none.

    Raises:
        OSError: It cannot be read.
    """
    if inside.size_of(root, answer.file) is None:
        return None
    with os.fdopen(inside.open_file(root, answer.file), "rb") as file:
        data = file.read(_MOST_BYTES)
    try:
        finding: Finding = from_json(data)
    except msgspec.DecodeError:
        return False
    return (finding.sha256, finding.finished) == (answer.sha256, answer.finished)


def remove(root: int, answer: Answer, folders: set[bytes], *, finding: bool) -> None:
    """Remove the heat map of an answer, and its finding, with the photograph where a camera took one.

    Args:
        root: The results folder, open.
        answer: Whose; what lies under its names and is another answer's or a person's stays.
        folders: Gets the folder from which something was removed, relative to the results.
        finding: Whether the finding goes, too.

    Raises:
        OSError: It cannot be removed.
    """
    if not answer.file.endswith(_FINDING) or is_of(root, answer) is False:
        return
    for file in (map_of(answer.file), *([photograph_of(answer.file), answer.file] if finding else [])):
        if inside.size_of(root, file) is None:
            continue
        with inside.folder_of(root, file) as (folder, name), contextlib.suppress(FileNotFoundError):
            os.unlink(name, dir_fd=folder)
            folders.add(file.rpartition(b"/")[0])


def sync(root: int, folders: set[bytes]) -> None:
    """Have the removed names leave the disk.

    Raises:
        OSError: The disk is gone.
    """
    for name in folders:
        if not name:
            os.fsync(root)
            continue
        with contextlib.suppress(FileNotFoundError), inside.folder_of(root, name + b"/x") as (folder, _):
            os.fsync(folder)
