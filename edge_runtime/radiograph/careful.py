"""Decoding in this process, with an ear for what libjpeg says of a damaged file.

libjpeg decodes what it can of a JPEG that is damaged among its pixels, fills up the rest, and says so in a line on the
standard error, which OpenCV has no other way to learn of. libpng, too, writes there. So it is listened to: a damaged
radiograph is not answered, and no such line stands in a log.
"""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge_runtime.errors import ImageError
from edge_runtime.radiograph.decode import MOST_PIXELS, Seen, inspect, pixels
from edge_runtime.radiograph.reduce import Sides

STDERR: Final = 2
# jerror.h of libjpeg, in the C locale, which is what Python leaves to libraries. It says the first of a file alone.
_DAMAGED: Final = (b"Corrupt JPEG data", b"Premature end of JPEG file", b"Inconsistent progression sequence")
_MOST_HEARD: Final = 4096

# The standard error belongs to the process, so that one at a time may listen.
_LISTENING: Final = threading.Lock()


def decode(data: bytes, *, least: Sides | None = None, most_pixels: int = MOST_PIXELS) -> NDArray[np.uint8]:
    """As ``decode.decode``, and refuse a JPEG that is damaged among its pixels as far as libjpeg notices.

    What other threads write to the standard error meanwhile is lost: a program with threads decodes in a worker.

    Raises:
        ImageError: As ``decode.decode``, or it is damaged.
        MemoryError: There is too little for the picture.
    """
    seen = inspect(data, least=least, most_pixels=most_pixels)
    with _LISTENING, _ear() as ear:
        return attentively(seen, ear)


def attentively(seen: Seen, ear: int) -> NDArray[np.uint8]:
    """Decode, and refuse what the decoder complains of.

    Args:
        seen: What has been inspected.
        ear: File that the standard error goes to; emptied.

    Raises:
        ImageError: It is damaged.
        MemoryError: There is too little for it.
    """
    try:
        decoded = pixels(seen)
        if os.fstat(ear).st_size and any(complaint in os.pread(ear, _MOST_HEARD, 0) for complaint in _DAMAGED):
            raise ImageError("damaged: a part of its pixels cannot be read")
        return decoded
    finally:
        if os.fstat(ear).st_size:
            os.ftruncate(ear, 0)
            os.lseek(ear, 0, os.SEEK_SET)


@contextmanager
def _ear() -> Iterator[int]:
    """A file in memory in the place of the standard error."""
    ear = os.memfd_create("stderr")
    try:
        stderr: int | None = os.dup(STDERR)
    except OSError:  # this program was started without one
        stderr = None
    try:
        os.dup2(ear, STDERR)
        yield ear
    finally:
        if stderr is None:
            os.close(STDERR)
        else:
            os.dup2(stderr, STDERR)
            os.close(stderr)
        os.close(ear)
