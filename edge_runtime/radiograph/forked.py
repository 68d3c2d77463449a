"""A decoding worker that is a copy of the watcher as it starts: what both have loaded lies in memory once."""

import contextlib
import gc
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from io import FileIO
from pathlib import Path
from typing import Final, NoReturn

from edge_runtime.radiograph import shared, worker

_STDIN, _STDOUT, _STDERR = 0, 1, 2
_THREADS: Final = Path("/proc/self/task")
_DESCRIPTORS: Final = Path("/proc/self/fd")


class Forked:
    """The copy, as the watcher sees it.

    Args:
        id: The system's number for it.
        requests: The end of a pipe that it reads.
        replies: The end of a pipe that it writes.
        file: The descriptor that both share.
    """

    def __init__(self, id: int, requests: FileIO, replies: FileIO, file: int) -> None:
        self.id, self.file = id, file
        self._requests, self._replies = requests, replies
        self._code: int | None = None

    @property
    def replies(self) -> int:
        return self._replies.fileno()

    def ask(self, request: bytes) -> None:
        self._requests.write(request)

    def has_ended(self) -> bool:
        self._look(os.WNOHANG)
        return self._code is not None

    def end(self) -> int:
        if not self.has_ended():
            os.kill(self.id, signal.SIGKILL)
            self._look(0)
        self._requests.close()
        self._replies.close()
        assert self._code is not None
        return self._code

    def _look(self, options: int) -> None:
        if self._code is not None:
            return
        try:
            process, status = os.waitpid(self.id, options)
        except ChildProcessError:  # whoever started this program had it told that children are looked after
            self._code = 0
        else:
            self._code = os.waitstatus_to_exitcode(status) if process else None


@contextmanager
def forked_worker() -> Iterator[Forked | None]:
    """A worker for as long as this is not left.

    To be called before anything else is opened or known that is none of the worker's business.

    Yields:
        ``None`` where a copy could not work, because this process has several threads, or cannot be made.
    """
    forked = _fork() if _is_alone() else None
    try:
        yield forked
    finally:
        if forked is not None:
            forked.end()
            os.close(forked.file)


def _is_alone() -> bool:
    """Whether this process has one thread: a copy has none of the others, whatever they held."""
    try:
        return len(list(_THREADS.iterdir())) == 1
    except OSError:
        return False


def _fork() -> Forked | None:
    with contextlib.ExitStack() as opened:
        try:
            file = shared.make()
            opened.callback(os.close, file)
            asked, requests = map(opened.enter_context, _pipe())
            replies, said = map(opened.enter_context, _pipe())
            if min(file, asked.fileno(), said.fileno()) <= _STDERR:
                return None  # this process has been given none of its own in their place
            process = os.fork()
        except OSError:  # no memory, or too many processes
            return None
        if process == 0:
            _be_worker(asked.fileno(), said.fileno(), file)
        opened.pop_all()
        asked.close()
        said.close()
        return Forked(process, requests, replies, file)


def _pipe() -> tuple[FileIO, FileIO]:
    read, write = os.pipe()
    return FileIO(read, "r"), FileIO(write, "w")


def _be_worker(asked: int, said: int, file: int) -> NoReturn:
    """All that a worker does, in the copy. Whatever happens, nothing of the watcher's is done here."""
    try:
        gc.freeze()  # who looks for garbage writes to what is looked at, and what is written to is shared no longer
        nowhere = os.open(os.devnull, os.O_WRONLY)
        for ours, number in ((asked, _STDIN), (said, _STDOUT), (nowhere, _STDERR)):
            os.dup2(ours, number)
        for number in [int(entry.name) for entry in _DESCRIPTORS.iterdir()]:
            if number > _STDERR and number != file:
                with contextlib.suppress(OSError):  # that of the list itself
                    os.close(number)
        worker.main(file)
        os._exit(0)
    finally:
        os._exit(1)
