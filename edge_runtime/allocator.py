"""What a program that runs for months asks of the C library's memory allocator."""

import ctypes
from collections.abc import Callable
from typing import Any, Final

_M_ARENA_MAX: Final = -8  # malloc.h of glibc


def share_one_heap(library: Callable[[None], Any] = ctypes.CDLL) -> bool:
    """Let all threads of this process share one heap, where the C library is glibc.

    By default each thread gets a heap of its own. A picture is made in one thread and freed in another, so that every
    heap keeps holes of its own, and over 20,000 radiographs a watcher grows by megabytes.

    Args:
        library: Opens the C library of this process.

    Returns:
        Whether the C library obeys.
    """
    try:
        return bool(library(None).mallopt(_M_ARENA_MAX, 1))
    except (OSError, AttributeError):
        return False  # another C library, such as musl, which has one heap anyway
