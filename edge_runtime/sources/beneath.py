"""Opening what lies below a folder and nothing else: no link on the way is followed.

``openat2`` with ``RESOLVE_BENEATH`` and ``RESOLVE_NO_SYMLINKS`` is one call for this, which Python does not offer. Here
each folder on the way is opened from the one above it, and refused if it is a link. So a folder that is replaced by a
link while a file in it is being opened leads nowhere.
"""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager

# With O_PATH a folder needs to be passed through and not to be listed.
_PASS = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_LIST = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# Not blocking: the file may have been replaced by a pipe in the meantime.
_READ = os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_NOCTTY | os.O_CLOEXEC

SWAPPED = frozenset({errno.ELOOP, errno.ENOTDIR})
"""What opening ends with where a link, or something else that is no folder, stands on the way."""


@contextmanager
def parent(root: str, name: bytes, *, make: bool = False) -> Iterator[tuple[int, bytes]]:
    """The folder that holds a file.

    Args:
        root: The topmost folder; it may be reached by links.
        name: The file's, relative to it.
        make: Make the folders that are missing, and have their names on the disk.

    Yields:
        An open handle of the folder, for ``dir_fd``, and the file's name in it.

    Raises:
        OSError: A folder on the way is missing, may not be passed through, or (see ``SWAPPED``) is none.
    """
    *folders, last = name.split(b"/")
    handle = os.open(root, _PASS & ~os.O_NOFOLLOW)
    try:
        for folder in folders:
            if make:
                _make(folder, handle)
            below = os.open(folder, _PASS, dir_fd=handle)
            os.close(handle)
            handle = below
        yield handle, last
    finally:
        os.close(handle)


def open_file(root: str, name: bytes) -> int:
    """A handle for reading a file; the same errors, and those of the file."""
    with parent(root, name) as (folder, last):
        return os.open(last, _READ, dir_fd=folder)


def open_folder(root: str, name: bytes) -> int:
    """A handle for listing a folder, the topmost one where ``name`` is empty; the same errors."""
    if not name:
        return os.open(root, _LIST & ~os.O_NOFOLLOW)
    with parent(root, name) as (folder, last):
        return os.open(last, _LIST, dir_fd=folder)


def sync(folder: int) -> None:
    """Have the names in a folder on the disk, if its file system can; ``folder`` as ``parent`` yields it."""
    handle = os.open(b".", _LIST, dir_fd=folder)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.EOPNOTSUPP):
            raise
    finally:
        os.close(handle)


def _make(folder: bytes, above: int) -> None:
    try:
        os.mkdir(folder, dir_fd=above)
    except FileExistsError:
        return
    sync(above)
