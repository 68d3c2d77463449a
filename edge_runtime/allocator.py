"""What a program that runs for months asks of the C library's memory allocator."""

import ctypes
from collections.abc import Callable
from typing import Any, Final

# malloc.h of glibc
_M_TRIM_THRESHOLD: Final = -1
_M_MMAP_THRESHOLD: Final = -3
_M_ARENA_MAX: Final = -8

_KEPT: Final = 8 << 20
_LARGEST_KEPT: Final = 32 << 20


def share_one_heap(library: Callable[[None], Any] = ctypes.CDLL) -> bool:
    """Let all threads of this process share one heap, where the C library is glibc.

    By default each thread gets a heap of its own. A picture is made in one thread and freed in another, so that every
    heap keeps holes of its own, and over 20,000 radiographs a watcher grows by megabytes.

    Args:
        library: Opens the C library of this process.

    Returns:
        Whether the C library obeys.
    """
    return _ask(library, {_M_ARENA_MAX: 1})


def keep_for_the_next(library: Callable[[None], Any] = ctypes.CDLL) -> bool:
    """Keep some of what has been freed, where the C library is glibc.

    By default the memory of a full-size picture is handed back to the system after each, and fetched page by page for
    the next, which takes as long as decoding it.

    Args:
        library: Opens the C library of this process.

    Returns:
        Whether the C library obeys.
    """
    return _ask(library, {_M_MMAP_THRESHOLD: _LARGEST_KEPT, _M_TRIM_THRESHOLD: _KEPT})


def _ask(library: Callable[[None], Any], settings: dict[int, int]) -> bool:
    try:
        obeyed = [library(None).mallopt(parameter, value) for parameter, value in settings.items()]
    except (OSError, AttributeError):
        return False  # another C library, such as musl, which has one heap anyway
    return all(obeyed)
