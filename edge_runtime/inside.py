"""Files in the results folder, found by the names in the journal and never outside the folder.

No link is followed on the way to them, and nothing but an ordinary file is opened: the folder may be written to by
others, and the journal may come from elsewhere.
"""

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


@contextmanager
def folder_of(root: int, file: bytes) -> Iterator[tuple[int, bytes]]:
    """The folder that a file lies in, open, and the file's name in it.

    Args:
        root: The results folder, open.
        file: Relative to it.

    Raises:
        OSError: There is no such folder, a link is on the way, or the name leads out of the folder.
    """
    *folders, name = file.split(b"/")
    if any(part in (b"", b".", b"..") or b"\0" in part for part in (*folders, name)):
        raise OSError(errno.EINVAL, "a name that leads elsewhere", os.fsdecode(file))
    handle = os.dup(root)
    try:
        for folder in folders:
            inner = os.open(folder, _FOLDER, dir_fd=handle)
            os.close(handle)
            handle = inner
        yield handle, name
    finally:
        os.close(handle)


def size_of(root: int, file: bytes) -> int | None:
    """Bytes of an ordinary file; ``None`` where there is none.

    Raises:
        OSError: It cannot be looked at.
    """
    try:
        with folder_of(root, file) as (folder, name):
            found = os.stat(name, dir_fd=folder, follow_symlinks=False)
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.EINVAL, errno.ENAMETOOLONG):
            return None
        raise
    return found.st_size if stat.S_ISREG(found.st_mode) else None


def open_file(root: int, file: bytes) -> int:
    """Open an ordinary file to read it.

    Raises:
        OSError: There is none, or it must not be read.
    """
    with folder_of(root, file) as (folder, name):
        handle = os.open(name, _FILE, dir_fd=folder)
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise OSError(errno.EINVAL, "not an ordinary file", os.fsdecode(file))
    return handle


def open_root(folder: os.PathLike[str] | str) -> int:
    """Open the results folder itself, which may be a link.

    Raises:
        OSError: There is none.
    """
    return os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
