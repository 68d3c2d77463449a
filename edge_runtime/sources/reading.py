"""A file's bytes, all of one moment, or why there are none."""

import errno
import os
import stat
from enum import Enum
from typing import Final

from edge_runtime.errors import ImageError
from edge_runtime.file_state import FileState
from edge_runtime.sources import beneath

_KINDS: Final = {
    stat.S_IFLNK: "a symbolic link, which is not followed: copy the file itself here",
    stat.S_IFIFO: "a named pipe, not a file",
    stat.S_IFSOCK: "a socket, not a file",
    stat.S_IFBLK: "a device, not a file",
    stat.S_IFCHR: "a device, not a file",
}
# No one call reads more (read(2)), and none shall: what is read in blocks can be given up in between.
_BLOCK: Final = 1 << 24


class Unread(Enum):
    """Why there is nothing to answer."""

    GONE = "it is not there any more"
    CHANGED = "it is another one than was found, or was written to"


def read_file(root: str, name: bytes, state: FileState, max_bytes: int) -> bytes | OSError | ImageError | Unread:
    """Read a file that was found complete; what is no file is never opened, and no link on the way is followed.

    Args:
        root: The watched folder.
        name: The file's, relative to it.
        state: As it was found.
        max_bytes: A larger file is refused unread.

    Returns:
        The bytes; the error that reading ended with; why it is not read at all; or that there is nothing to answer.
    """
    kind = _KINDS.get(stat.S_IFMT(state.mode))
    if kind is not None:
        return ImageError(kind)
    if state.size > max_bytes:
        return ImageError(f"larger than {max_bytes // 10**6} MB")
    try:
        handle = beneath.open_file(root, name)
        try:
            if not FileState.of(os.fstat(handle)).same_content(state):
                return Unread.CHANGED
            data = _read_to(handle, state.size)
            is_same = FileState.of(os.fstat(handle)).same_content(state)
        finally:
            os.close(handle)
    except (FileNotFoundError, NotADirectoryError):  # or a folder on the way is a link now
        return Unread.GONE
    except OSError as error:
        return Unread.CHANGED if error.errno == errno.ELOOP else error
    return data if is_same and len(data) == state.size else Unread.CHANGED


def _read_to(handle: int, size: int) -> bytes:
    """So many bytes and no more, however fast the file grows; fewer at its end."""
    blocks = []
    while size and (block := os.read(handle, min(size, _BLOCK))):
        blocks.append(block)
        size -= len(block)
    return blocks[0] if len(blocks) == 1 else b"".join(blocks)
