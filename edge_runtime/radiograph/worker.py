"""The process that decodes for another one, so that a decoder that crashes or hangs takes no more than this with it.

It reads requests from its standard input and answers on its standard output, and it ends when its standard input does.
``isolated`` starts it, or it is a copy of the watcher (``forked``).
"""

import contextlib
import ctypes
import os
import pickle
import resource
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_runtime.allocator import keep_for_the_next, share_one_heap
from edge_runtime.errors import ImageError
from edge_runtime.radiograph import shared
from edge_runtime.radiograph.careful import STDERR, attentively
from edge_runtime.radiograph.decode import Seen
from edge_runtime.radiograph.shared import REPLY, REQUEST, SCREENED

if TYPE_CHECKING:  # not loaded before it is asked for
    from edge_runtime.gate import Gate

_STDIN, _STDOUT = 0, 1
_PR_SET_PDEATHSIG, _PR_SET_NAME = 1, 15
_NAME: Final = b"pneumo-decoder"  # what ps shows; 15 letters at most
_SIDE: Final = 224
_SLACK: Final = 32 << 20  # for the allocator, the interpreter and what it loads late


def main(file: int) -> None:
    """Answer requests until there are no more.

    Args:
        file: Descriptor of the file in memory.
    """
    _withdraw()
    share_one_heap()
    keep_for_the_next()
    ear = os.memfd_create("stderr")
    os.dup2(ear, STDERR)
    cv2.setNumThreads(1)
    held = _held()
    gate: Gate | None = None
    grey: NDArray[np.uint8] | None = None
    os.write(_STDOUT, shared.READY)
    while len(request := os.read(_STDIN, REQUEST.size)) == REQUEST.size:
        kind, size, by, memory = REQUEST.unpack(request)
        if kind == shared.GATE:
            _limit(resource.RLIMIT_DATA, resource.RLIM_INFINITY)
            gate = pickle.loads(shared.look(file, size).tobytes())  # from the parent alone
            _screen(np.zeros((_SIDE, _SIDE), np.uint8), gate)  # OpenBLAS takes its memory at the first product
            held = _held()
        elif kind == shared.SCREEN:
            assert grey is not None
            assert gate is not None
            _limit(resource.RLIMIT_DATA, resource.RLIM_INFINITY)  # what this takes depends on the size alone
            os.write(_STDOUT, _screen(grey, gate))
            grey = None
            held = _held()  # the allocator keeps what that took, and the next file must not be refused for it
        else:
            grey = None
            # The soft limit alone, so that the next one may be higher.
            _limit(resource.RLIMIT_DATA, held + memory + _SLACK)
            said, grey = _answer(file, ear, size, by, memory)
            os.write(_STDOUT, said)


def _answer(file: int, ear: int, size: int, by: int, memory: int) -> tuple[bytes, NDArray[np.uint8] | None]:
    try:
        grey = attentively(Seen(shared.look(file, size), by, memory), ear)
        shared.write(file, grey)
        return REPLY.pack(shared.PICTURE, *grey.shape), grey
    except ImageError as error:
        kind, sentence = shared.REFUSED, str(error)
    except MemoryError:
        kind, sentence = shared.TOO_LARGE, ""
    except Exception as error:
        kind, sentence = shared.FAILED, f"{type(error).__name__}: {error}"
    said = sentence.encode(errors="backslashreplace")[: shared.MOST_SAID]
    return REPLY.pack(kind, len(said), 0) + said, None


def _screen(grey: NDArray[np.uint8], gate: "Gate") -> bytes:
    from edge_runtime import gate as gate_

    start = time.perf_counter()
    found = gate_.before(grey, gate)
    said = (found.reason or "").encode()
    return SCREENED.pack(1e3 * (time.perf_counter() - start), found.distance, bool(found.notes), len(said)) + said


def _withdraw() -> None:
    """Outlive no parent, leave no core on the disk, and be the first to go where memory is short."""
    # Ctrl-C and the service's end are for the parent, which finishes the file in hand and then ends this.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    _limit(resource.RLIMIT_CORE, 0)
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        ctypes.CDLL(None).prctl(_PR_SET_NAME, _NAME)
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
