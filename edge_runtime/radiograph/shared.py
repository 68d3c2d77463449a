"""What a decoding worker and the process that started it have in common: their messages, and a file in memory.

The file lies there for the worker to decode, and then the picture in its place.

1. ``DECODE``: the worker decodes the file, and says ``REPLY``.
2. ``GATE``: the gate lies there, pickled. The worker keeps it, and says nothing.
3. ``SCREEN``: the worker looks at the picture that it decoded last through that gate, and says ``SCREENED``.
"""

import mmap
import os
import struct
from typing import Final

import numpy as np
from numpy.typing import NDArray

READY: Final = b"r"
"""What the worker says first."""

REQUEST: Final = struct.Struct("<BQBQ")
"""One of the next three; bytes of the file, by how much to reduce the picture, bytes of memory that this may take."""

DECODE, GATE, SCREEN = range(3)

REPLY: Final = struct.Struct("<BII")
"""One of the kinds below; then height and width, or the bytes of the sentence that follows, and 0."""

PICTURE, REFUSED, TOO_LARGE, FAILED = range(4)

SCREENED: Final = struct.Struct("<ddBI")
"""The milliseconds it took, the distance, whether the picture is a negative, and the bytes of the reason that follows:
0 where there is none."""

MOST_SAID: Final = 1024
"""Bytes of a sentence; a message is one piece that way."""

# Kept from file to file. What a larger one needed is given back.
_KEPT_BYTES: Final = 4 << 20


def make() -> int:
    """The descriptor of a new file."""
    return os.memfd_create("picture", os.MFD_CLOEXEC)


def write(file: int, data: bytes | NDArray[np.uint8]) -> None:
    """Put bytes at its beginning.

    Raises:
        OSError: There is no memory for them.
    """
    rest = memoryview(data) if isinstance(data, bytes) else np.ascontiguousarray(data).data.cast("B")
    at = 0
    while at < rest.nbytes:
        at += os.pwrite(file, rest[at:], at)


def look(file: int, size: int) -> NDArray[np.uint8]:
    """The bytes at its beginning, where they lie if they are many.

    Raises:
        OSError: They cannot be had.
    """
    if size <= _KEPT_BYTES:  # copied in less time than they are mapped
        return np.frombuffer(os.pread(file, size, 0), np.uint8)
    return np.frombuffer(mmap.mmap(file, size, prot=mmap.PROT_READ), np.uint8)


def read(file: int, height: int, width: int) -> NDArray[np.uint8]:
    """The picture at its beginning.

    Raises:
        OSError: It is not all there.
    """
    picture = np.empty((height, width), np.uint8)
    rest = picture.data.cast("B")
    at = 0
    while at < rest.nbytes:
        got = os.preadv(file, [rest[at:]], at)
        if not got:
            raise OSError("the file in memory is shorter than was said")
        at += got
    return picture


def give_back(file: int) -> None:
    """Keep no more memory than a usual file needs."""
    if os.fstat(file).st_size > _KEPT_BYTES:
        os.ftruncate(file, 0)
