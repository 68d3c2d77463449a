"""How much room is left for findings."""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from edge_runtime.sinks.names import heatmap_of, photograph_of

LOOKED_AT: Final = 200
"""So many of the latest findings say how large the next ones will be."""

_BLOCK: Final = 512  # of st_blocks, whatever the file system's are


@dataclass(frozen=True, slots=True)
class Space:
    """Where the results lie.

    Attributes:
        free_bytes: For whoever is not root.
        size_bytes: Of the file system.
        is_read_only: Whether nothing can be written to it at all.
        finding_bytes: What a finding and its heat map take on that disk, on average; ``None`` where none is there.
        findings_left: How many more fit, at most; ``None`` where that cannot be said.
    """

    free_bytes: int
    size_bytes: int
    is_read_only: bool
    finding_bytes: int | None
    findings_left: int | None


def measure(results: Path, files: Iterable[bytes]) -> Space | None:
    """Look at the disk.

    Args:
        results: The folder of findings.
        files: The latest findings, relative to it; those that have been taken away are passed over.

    Returns:
        ``None`` where the folder cannot be looked at.
    """
    try:
        found = os.statvfs(results)
    except OSError:
        return None
    root = os.fsencode(results)
    sizes = [size for file in files if (size := _taken(root, file)) is not None]
    each = round(sum(sizes) / len(sizes)) if sizes else None
    free = found.f_bavail * found.f_frsize
    fits = None
    if each:
        # Each finding and each heat map takes an inode, too; a file system that counts none says 0 of 0.
        fits = min(free // each, found.f_favail // 2) if found.f_files else free // each
    return Space(
        free_bytes=free,
        size_bytes=found.f_blocks * found.f_frsize,
        is_read_only=bool(found.f_flag & os.ST_RDONLY),
        finding_bytes=each,
        findings_left=fits,
    )


def _taken(root: bytes, file: bytes) -> int | None:
    """What the finding, its heat map and its photograph take on the disk."""
    finding = _blocks(os.path.join(root, file))  # noqa: PTH118 (names are bytes)
    if finding is None:
        return None
    beside = (heatmap_of(file), photograph_of(file))
    return finding + sum(_blocks(os.path.join(root, one)) or 0 for one in beside)  # noqa: PTH118


def _blocks(path: bytes) -> int | None:
    try:
        return os.lstat(path).st_blocks * _BLOCK
    except (OSError, ValueError):
        return None
