"""What findings and heat maps are called. Names are bytes, relative to the results, as radiographs' names are."""

import errno
import hashlib
import os
import stat
from collections.abc import Iterator
from typing import Final

from edge_runtime.finding import HEATMAP_SUFFIX

FINDING: Final = b".json"
_HEATMAP: Final = HEATMAP_SUFFIX.encode()

IMPOSSIBLE: Final = frozenset(
    {errno.ENAMETOOLONG, errno.ENOTDIR, errno.EEXIST, errno.EISDIR, errno.EINVAL, errno.EILSEQ, errno.EXDEV}
)
"""The name, longer by a suffix, is not possible there: too long, a folder where a file should be or the other way
round, characters that the file system cannot store, another file system."""


def bases(name: bytes) -> tuple[bytes, bytes]:
    """What the names of a radiograph's findings begin with, and what they do where that is no possible name."""
    return name, b"renamed/" + hashlib.sha256(name).hexdigest()[:16].encode()


def candidates(base: bytes, sha256: str | None) -> Iterator[bytes]:
    """Names for the finding of this content, the first free one of which is to be taken."""
    yield base + FINDING
    content = b"unread" if sha256 is None else sha256[:8].encode()
    yield b"%b.%b%b" % (base, content, FINDING)
    number = 2
    while True:
        yield b"%b.%b-%d%b" % (base, content, number, FINDING)
        number += 1


def heatmap_of(file: bytes) -> bytes:
    """The name of the heat map beside the finding in this file."""
    return file.removesuffix(FINDING) + _HEATMAP


def photograph_of(file: bytes) -> bytes:
    """The name of the photograph beside the finding in this file, where a camera took one."""
    return file.removesuffix(FINDING) + b".photograph.jpg"


def is_there(path: bytes) -> bool:
    """Whether something has this name. What cannot be looked at counts as free: writing says what is wrong."""
    try:
        os.lstat(path)
    except (OSError, ValueError):
        return False
    return True


def is_impossible(path: bytes) -> bool:
    """Whether no file can have this name, as far as looking at it tells."""
    try:
        return stat.S_ISDIR(os.lstat(path).st_mode)
    except OSError as error:
        return error.errno in IMPOSSIBLE
