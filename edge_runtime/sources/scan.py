"""What lies in a folder, and which names in it are none of ours."""

import os
from collections.abc import Callable, Iterator

from edge_runtime.file_state import FileState
from edge_runtime.model import heatmap

_IGNORED_SUFFIXES = (
    heatmap.SUFFIX,
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


def walk(
    root: str, is_excluded: Callable[[str], bool], note: Callable[[str], None]
) -> Iterator[tuple[str, FileState | None]]:
    """Everything below a folder that is no folder and not ignored; links are found and not followed.

    Args:
        root: The folder.
        is_excluded: Whether a path is left out, with all below it.
        note: Told of folders that cannot be looked through.

    Yields:
        The path, and what it looks like; ``None`` where that cannot be said, or for a folder: so that whoever looks
        through a large tree can do something else in between.
    """
    folders = [root]
    while folders:
        folder = folders.pop()
        try:
            with os.scandir(folder) as entries:
                for entry in entries:
                    if is_ignored(entry.name) or is_excluded(entry.path):
                        continue
                    if entry.is_dir(follow_symlinks=False):
                        folders.append(entry.path)
                        yield entry.path, None
                    else:
                        yield entry.path, _look(entry)
        except OSError as error:
            note(f"{folder} cannot be looked through: {error.strerror}")


def _look(entry: os.DirEntry[str]) -> FileState | None:
    try:
        return FileState.of(entry.stat(follow_symlinks=False))
    except OSError:
        return None
