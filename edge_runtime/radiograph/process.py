"""The process of a decoding worker, as the one that starts it sees it."""

import os
import select
import subprocess
import sys
from collections.abc import Sequence
from typing import Final, Protocol

# It decodes on one thread, and a thread that waits holds memory.
_ENVIRONMENT: Final = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
_START: Final = "import sys; sys.path[:] = {path!r}; from edge_runtime.radiograph import worker; worker.main({file})"


class Worker(Protocol):
    """A process that decodes."""

    @property
    def id(self) -> int:
        """The system's number for it."""
        ...

    @property
    def replies(self) -> int:
        """The descriptor on which it answers."""
        ...

    def ask(self, request: bytes) -> None:
        """Send it a request, or raise ``OSError`` where it has ended."""
        ...

    def has_ended(self) -> bool:
        """Whether it has, by itself or not."""
        ...

    def end(self) -> int:
        """End it, if it still lives; how it ended, as ``subprocess.Popen.returncode``."""
        ...


class Spawned:
    """A worker that is a program of its own.

    Args:
        command: What starts it.
        file: Descriptor of the file in memory.

    Raises:
        OSError: It cannot be started.
    """

    def __init__(self, command: Sequence[str], file: int) -> None:
        try:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                bufsize=0,
                pass_fds=(file,),
                env=os.environ | _ENVIRONMENT,
            )
        except subprocess.SubprocessError as error:
            raise OSError(str(error)) from error

    @property
    def id(self) -> int:
        return self._process.pid

    @property
    def replies(self) -> int:
        assert self._process.stdout is not None
        return self._process.stdout.fileno()

    def ask(self, request: bytes) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(request)

    def has_ended(self) -> bool:
        return self._process.poll() is not None

    def end(self) -> int:
        with self._process as process:  # closes the pipes, and waits
            process.kill()
        return process.returncode


def worker_command(file: int) -> Sequence[str]:
    """What starts the worker, given the descriptor that it shares. It needs no more than finding its modules."""
    return sys.executable, "-S", "-E", "-c", _START.format(path=sys.path, file=file)


def has_said(worker: Worker) -> bool:
    """Whether the worker has said something, or never will."""
    poll = select.poll()
    try:
        poll.register(worker.replies)
    except ValueError:  # closed, as another thread has just ended it
        return True
    return bool(poll.poll(0))
