"""The process of a decoding worker, as the one that starts it sees it."""

import os
import select
import subprocess
import sys
from collections.abc import Sequence
from typing import Final

# It decodes on one thread, and a thread that waits holds memory. glibc would hand the memory of a full-size picture
# back to the system after each and fetch it page by page for the next, which took as long as decoding it.
_ENVIRONMENT: Final = {
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "MALLOC_ARENA_MAX": "1",
    "MALLOC_MMAP_THRESHOLD_": str(32 << 20),
    "MALLOC_TRIM_THRESHOLD_": str(8 << 20),
}
_START: Final = "import sys; sys.path[:] = {path!r}; from edge_runtime.radiograph import worker; worker.main({file})"


def worker_command(file: int) -> Sequence[str]:
    """What starts the worker, given the descriptor that it shares. It needs no more than finding its modules."""
    return sys.executable, "-S", "-E", "-c", _START.format(path=sys.path, file=file)


def start(command: Sequence[str], file: int) -> subprocess.Popen[bytes]:
    """Start a worker that is a program of its own.

    Args:
        command: What starts it.
        file: Descriptor of the file in memory.

    Raises:
        OSError: It cannot be started.
        subprocess.SubprocessError: Likewise.
    """
    return subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        bufsize=0,
        pass_fds=(file,),
        env=os.environ | _ENVIRONMENT,
    )


def has_said(process: subprocess.Popen[bytes]) -> bool:
    """Whether the worker has said something, or never will."""
    poll = select.poll()
    try:
        poll.register(process.stdout or -1, select.POLLIN)
    except ValueError:  # closed, as another thread has just ended it
        return True
    return bool(poll.poll(0))
