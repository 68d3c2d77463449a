"""The watcher's state on the disk, for whoever asks from outside: one small JSON file.

It lies where it costs no writes to a card, in the service's ``RUNTIME_DIRECTORY``, if there is one, and the results
folder holds a link to it. Without one it lies in the results folder itself, hidden. It is replaced as a whole and never
forced to the disk: after a power cut there is no watcher that it could tell of.

A file tells of a process that lives if that has the same number, was started at the same time, and this machine has not
been started anew since. At its end the watcher leaves its last state in the results folder, marked as ended.
"""

import contextlib
import errno
import os
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final, Literal, Self

import msgspec

from edge_runtime.clock import SYSTEM_CLOCK, Clock
from edge_runtime.finding import printable, timestamp
from edge_runtime.health.health import Health, State

NAME: Final = ".state"  # not .json: whoever reads *.json wants findings
_RUNTIME_NAME = "state.json"
# Where a service's runtime directory usually is, for a shell that was told nothing of it.
_SERVICE_FILE: Final = Path("/run/edge-pneumo/state.json")
_TICK_SECONDS = 1.0
# Between two writes: to memory, or of something that matters; and to the disk, of counts alone.
_SOON_SECONDS, _LATE_SECONDS = 5.0, 60.0

Life = Literal["alive", "dead", "ended", "elsewhere"]


class Process(msgspec.Struct, frozen=True):
    """What tells one process from all that were and will be on a machine.

    Attributes:
        pid: Its number.
        boot: The machine's start that it belongs to.
        started: When it was started, in clock ticks since then; ``None`` where that cannot be seen.
        namespace: Of process numbers: a container has its own.
    """

    pid: int
    boot: str
    started: int | None
    namespace: str


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """What the file holds.

    Attributes:
        process: The watcher.
        results: Where its findings go.
        folder: What it watches.
        written: When this was written, RFC 3339.
        state: How it stood.
        ended: When it ended, RFC 3339; ``None`` while it runs.
        failure: The sentence that it ended with, if it could not go on.
    """

    schema: Literal["edge-pneumo/state/1"] = "edge-pneumo/state/1"
    process: Process
    results: str
    folder: str
    written: str
    state: State
    ended: str | None = None
    failure: str | None = None


class StateFile:
    """Keeps the file, in a thread of its own.

    It is written when something has changed, at most every 5 seconds; where it lies on a disk and only counts have
    changed, every 60. What cannot be written is left out: the radiographs matter more.

    Args:
        results: The folder of findings.
        folder: The watched one.
        health: What is written.
        runtime: The service's runtime directory, on a file system in memory, if it has one.
        clock: What time it is.
        process: The watcher's; ``None`` for this one.
        steps: Called in that thread, once a second; they neither wait nor raise.
    """

    def __init__(
        self,
        results: Path,
        folder: Path,
        health: Health,
        *,
        runtime: Path | None = None,
        clock: Clock = SYSTEM_CLOCK,
        process: Process | None = None,
        steps: Sequence[Callable[[], None]] = (),
    ) -> None:
        self._results, self._folder, self._health = results, folder, health
        self._link = results / NAME
        self._file = self._link if runtime is None else runtime / _RUNTIME_NAME
        self._clock = clock
        self._process = process or this_process()
        self._steps = steps
        self._written: State | None = None
        self._written_at = -_LATE_SECONDS
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, name="state-file", daemon=True)

    def __enter__(self) -> Self:
        if self._file != self._link:
            with contextlib.suppress(OSError):
                _link(self._file, self._link)
        self.turn()
        self._thread.start()
        return self

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        is_failure = isinstance(error, Exception)  # and not a person's Ctrl-C
        self.close((str(error) or type(error).__name__) if is_failure else None)

    def turn(self) -> bool:
        """Write if that is due; returns whether it was written."""
        state, now = self._health.snapshot(), self._clock.seconds()
        waited = now - self._written_at
        if state == self._written or waited < _SOON_SECONDS:
            return False
        on_disk = self._file == self._link
        if on_disk and waited < _LATE_SECONDS and _same_but_counts(state, self._written):
            return False
        # Also after a failure: a full disk is not asked every second.
        self._written_at = now
        if not _replace(self._file, self._encode(state)):
            return False
        self._written = state
        return True

    def close(self, failure: str | None = None) -> None:
        """Leave the last state in the results folder, marked as ended.

        Args:
            failure: Why it could not go on, in a sentence.
        """
        self._end.set()
        if self._thread.ident is not None:
            self._thread.join()
        if not _replace(self._link, self._encode(self._health.snapshot(), ended=True, failure=failure)):
            _remove(self._link)
        if self._file != self._link:
            _remove(self._file)

    def _encode(self, state: State, *, ended: bool = False, failure: str | None = None) -> bytes:
        now = timestamp(self._clock.now())
        return msgspec.json.encode(
            Record(
                process=self._process,
                results=printable(self._results.resolve()),
                folder=printable(self._folder.resolve()),
                written=now,
                state=state,
                ended=now if ended else None,
                failure=failure,
            )
        )

    def _run(self) -> None:
        while not self._end.wait(_TICK_SECONDS):
            for step in self._steps:
                step()
            self.turn()


def read(results: Path, environment: Mapping[str, str] = os.environ, *, service: Path = _SERVICE_FILE) -> Record | None:
    """What the last watcher with these results has left; ``None`` where there is nothing.

    Args:
        results: The folder of findings.
        environment: May name a runtime directory.
        service: The state of a service, for where the results folder was full and got no link.
    """
    candidates = [results / NAME]
    runtime = runtime_directory(environment)
    if runtime is not None:
        candidates.append(runtime / _RUNTIME_NAME)
    candidates.append(service)
    where = printable(results.resolve())
    for file in candidates:
        with contextlib.suppress(OSError, msgspec.DecodeError, UnicodeDecodeError):
            record = msgspec.json.decode(file.read_bytes(), type=Record)
            # The folder may have been moved since, with the file in it.
            if file == candidates[0] or record.results == where:
                return record
    return None


def has_lost_one(results: Path) -> bool:
    """Whether a watcher left the link to its state and not the state: it was killed, and its service is down."""
    link = results / NAME
    return link.is_symlink() and not link.exists()


def life(record: Record, here: Process | None = None, *, look: Callable[[int], Process] | None = None) -> Life:
    """Whether the process that a file tells of still lives.

    Args:
        record: From ``read``.
        here: A process of this machine, this one by default.
        look: Finds the process that has a number now.

    Returns:
        ``alive``; ``dead``: killed, or the power failed; ``ended``: in good order, or with a sentence; ``elsewhere``:
        in another container, whose processes cannot be seen from here.
    """
    if record.ended is not None:
        return "ended"
    here = this_process() if here is None else here
    if record.process.boot != here.boot:
        return "dead"
    if record.process.namespace != here.namespace:
        return "elsewhere"
    try:
        found = (look or process_of)(record.process.pid)
    except ProcessLookupError:
        return "dead"
    # Where /proc hides the processes of others there is no time of start; then the number has to do.
    unknown = None in (found.started, record.process.started)
    return "alive" if unknown or found.started == record.process.started else "dead"


def this_process() -> Process:
    """This one."""
    return process_of(os.getpid())


def process_of(pid: int) -> Process:
    """The process that has this number now.

    Raises:
        ProcessLookupError: There is none.
    """
    # Field 3 is the state, field 22 the start; the second, the name in brackets, may hold blanks and brackets.
    fields = _text(f"/proc/{pid}/stat").rpartition(")")[2].split()
    started = int(fields[19]) if len(fields) > 19 else None
    if fields[:1] in (["Z"], ["X"]):
        raise ProcessLookupError(errno.ESRCH, "killed, and nobody has asked how it ended", str(pid))
    if started is None:
        with contextlib.suppress(PermissionError):  # it is somebody else's
            os.kill(pid, 0)
    return Process(pid, _text("/proc/sys/kernel/random/boot_id"), started, _namespace())


def runtime_directory(environment: Mapping[str, str] = os.environ) -> Path | None:
    """The service's runtime directory; ``None`` outside of one."""
    first = environment.get("RUNTIME_DIRECTORY", "").split(":")[0]
    return Path(first) if first else None


def _namespace() -> str:
    try:
        return os.readlink("/proc/self/ns/pid")  # noqa: PTH115 (no path, but a name)
    except OSError:
        return ""


def _text(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""


def _same_but_counts(state: State, earlier: State | None) -> bool:
    if earlier is None:
        return False
    names = ("state", "paused", "degraded", "last_error", "silent_since", "model", "engine")
    return all(getattr(state, name) == getattr(earlier, name) for name in names)


def _replace(file: Path, data: bytes) -> bool:
    """Replace the file, or the link of that name, as a whole; ``False`` where that is not possible."""
    unfinished = file.with_name(f"{file.name}.new")
    try:
        unfinished.write_bytes(data)
        unfinished.replace(file)
    except OSError:
        _remove(unfinished)
        return False
    return True


def _link(target: Path, link: Path) -> None:
    unfinished = link.with_name(f"{link.name}.new")
    try:
        unfinished.symlink_to(target)
    except FileExistsError:
        unfinished.unlink()
        unfinished.symlink_to(target)
    unfinished.replace(link)


def _remove(file: Path) -> None:
    with contextlib.suppress(OSError):
        file.unlink()
