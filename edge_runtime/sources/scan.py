"""What lies in a folder, and which names in it are none of ours."""

import errno
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from edge_runtime.file_state import FileState
from edge_runtime.finding import HEATMAP_SUFFIX
from edge_runtime.sources import beneath

_GONE = beneath.SWAPPED | {errno.ENOENT}

_IGNORED_SUFFIXES = (
    HEATMAP_SUFFIX,
    ".part",
    ".partial",
    ".tmp",
    ".temp",
    ".crdownload",
    ".download",
    ".filepart",
    ".swp",
    "~",
)
_SYSTEM_NAMES = frozenset(
    {"thumbs.db", "ehthumbs.db", "desktop.ini", "lost+found", "$recycle.bin", "system volume information", "@eadir"}
)


def is_ignored(name: str) -> bool:
    """Whether a file or folder of this name gets no answer: hidden, temporary, the system's own, or a heat map."""
    lower = name.lower()
    return name.startswith(".") or lower in _SYSTEM_NAMES or lower.endswith(_IGNORED_SUFFIXES)


@dataclass(frozen=True, slots=True)
class Bounds:
    """What of a folder is watched.

    Attributes:
        root: The folder.
        exclude: Folders that are left out with everything below them.
    """

    root: str
    exclude: tuple[str, ...]

    def leave_out(self, path: str) -> bool:
        """Whether a file or folder is, or lies in, one that is left out."""
        return any(path == one or path.startswith(one + os.sep) for one in self.exclude)

    def hold(self, path: str) -> bool:
        """Whether this is a file that gets an answer."""
        if not path.startswith(self.root + os.sep) or self.leave_out(path):
            return False
        return not any(is_ignored(part) for part in Path(path[len(self.root) + 1 :]).parts)


def walk(
    root: str, is_excluded: Callable[[str], bool], failed: Callable[[str, OSError], None]
) -> Iterator[tuple[str, FileState | None]]:
    """Everything below a folder that is no folder and not ignored; links are found and not followed.

    Args:
        root: The folder.
        is_excluded: Whether a path is left out, with all below it.
        failed: Told of a folder that cannot be looked through, and of the first file in one that cannot be looked at.

    Yields:
        The path, and what it looks like; ``None`` where that cannot be said, or for a folder: so that whoever looks
        through a large tree can do something else in between.
    """
    folders = [root]
    while folders:
        folder = folders.pop()
        try:
            yield from _list(root, folder, folders, is_excluded, failed)
        except OSError as error:
            if folder == root or error.errno not in _GONE:
                failed(folder, error)


def _list(
    root: str,
    folder: str,
    folders: list[str],
    is_excluded: Callable[[str], bool],
    failed: Callable[[str, OSError], None],
) -> Iterator[tuple[str, FileState | None]]:
    is_first = True
    # By its handle: a folder that is replaced by a link after it was found is not followed.
    handle = beneath.open_folder(root, os.fsencode(folder[len(root) + 1 :]))
    try:
        with os.scandir(handle) as entries:
            for entry in entries:
                path = f"{folder.rstrip(os.sep)}{os.sep}{entry.name}"
                if is_ignored(entry.name) or is_excluded(path):
                    continue
                if entry.is_dir(follow_symlinks=False):
                    folders.append(path)
                    yield path, None
                    continue
                try:
                    state = FileState.of(entry.stat(follow_symlinks=False))
                except OSError as error:
                    state = None
                    if is_first and error.errno != errno.ENOENT:
                        is_first = False
                        failed(path, error)
                yield path, state
    finally:
        os.close(handle)
