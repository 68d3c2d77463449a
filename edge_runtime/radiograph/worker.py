"""The process that decodes for another one, so that a decoder that crashes or hangs takes no more than this with it.

It reads requests from its standard input and answers on its standard output, and it ends when its standard input does.
``isolated`` starts it.
"""

import contextlib
import ctypes
import os
import resource
import signal
from pathlib import Path
from typing import Final

import cv2

from edge_runtime.errors import ImageError
from edge_runtime.radiograph import shared
from edge_runtime.radiograph.careful import STDERR, attentively
from edge_runtime.radiograph.decode import Seen
from edge_runtime.radiograph.shared import REPLY, REQUEST

_STDIN, _STDOUT = 0, 1
_PR_SET_PDEATHSIG: Final = 1
_SLACK: Final = 32 << 20  # for the allocator, the interpreter and what it loads late


def main(file: int) -> None:
    """Answer requests until there are no more.

    Args:
        file: Descriptor of the file in memory.
    """
    _withdraw()
    ear = os.memfd_create("stderr")
    os.dup2(ear, STDERR)
    cv2.setNumThreads(1)
    held = _held()
    os.write(_STDOUT, shared.READY)
    while len(request := os.read(_STDIN, REQUEST.size)) == REQUEST.size:
        size, by, memory = REQUEST.unpack(request)
        # The soft limit alone, so that the next one may be higher.
        _limit(resource.RLIMIT_DATA, held + memory + _SLACK)
        os.write(_STDOUT, _answer(file, ear, size, by, memory))


def _answer(file: int, ear: int, size: int, by: int, memory: int) -> bytes:
    try:
        grey = attentively(Seen(shared.look(file, size), by, memory), ear)
        shared.write(file, grey)
        return REPLY.pack(shared.PICTURE, *grey.shape)
    except ImageError as error:
        kind, sentence = shared.REFUSED, str(error)
    except MemoryError:
        kind, sentence = shared.TOO_LARGE, ""
    except Exception as error:
        kind, sentence = shared.FAILED, f"{type(error).__name__}: {error}"
    said = sentence.encode(errors="backslashreplace")[: shared.MOST_SAID]
    return REPLY.pack(kind, len(said), 0) + said


def _withdraw() -> None:
    """Outlive no parent, leave no core on the disk, and be the first to go where memory is short."""
    # Ctrl-C and the service's end are for the parent, which finishes the file in hand and then ends this.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    _limit(resource.RLIMIT_CORE, 0)
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")


def _limit(what: int, most: int) -> None:
    # A service's filter of system calls may forbid it. What limits the service's memory limits this then.
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(what, (most, resource.getrlimit(what)[1]))


def _held() -> int:
    """Bytes of memory that count by ``RLIMIT_DATA``, as they are now."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmData"))
