"""A control group of this machine's kernel, of version 2 or 1, whose memory is limited: enforced, and at full speed."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

_MOUNTS = Path("/sys/fs/cgroup")


class CannotLimitError(Exception):
    """Why no memory can be limited here; a sentence."""


@dataclass(frozen=True)
class Group:
    """A control group.

    Attributes:
        folder: Its files.
        is_second: Whether it is of version 2.
    """

    folder: Path
    is_second: bool

    def start(self, *words: str | Path, environment: dict[str, str]) -> subprocess.Popen[str]:
        """Start a command as its member."""
        join = 'echo $$ > "$1/cgroup.procs"; shift; exec "$@"'
        command = ["sh", "-c", join, "sh", str(self.folder), *(str(word) for word in words)]
        return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    @property
    def peak(self) -> int:
        """The most that its members have had together, with the files that the kernel keeps for them, in bytes."""
        name = "memory.peak" if self.is_second else "memory.max_usage_in_bytes"
        return int((self.folder / name).read_text())

    @property
    def kills(self) -> int:
        """How many of its members were killed for it."""
        lines = (self.folder / ("memory.events" if self.is_second else "memory.oom_control")).read_text().splitlines()
        return int(dict(line.split() for line in lines)["oom_kill"])


@contextmanager
def limited(most: int) -> Iterator[Group]:
    """A group whose members may have so many bytes together; they are killed at its end.

    Raises:
        CannotLimitError: It takes root, and a kernel that limits memory.
    """
    if os.geteuid() != 0:
        raise CannotLimitError("limiting memory takes root")
    first = _MOUNTS / "memory"
    is_second = not (first / "memory.limit_in_bytes").exists()
    folder = (_MOUNTS if is_second else first) / f"edge-pneumo-{os.getpid()}-{time.monotonic_ns()}"
    try:
        if is_second and "memory" not in (_MOUNTS / "cgroup.subtree_control").read_text().split():
            raise CannotLimitError("this machine's control groups limit no memory")
        folder.mkdir()
    except OSError as error:
        raise CannotLimitError(f"no control group can be made here ({error.strerror})") from error
    try:
        values: Sequence[tuple[str, int]] = [("memory.limit_in_bytes", most), ("memory.swappiness", 0)]
        if is_second:
            values = [("memory.max", most), ("memory.swap.max", 0)]
        for name, value in values:
            # Without swap there is no file for it.
            with suppress(FileNotFoundError):
                (folder / name).write_text(str(value))
        group = Group(folder, is_second)
        try:
            _ = group.peak, group.kills
        except (OSError, KeyError) as error:
            raise CannotLimitError("this kernel is too old to tell how much memory was taken") from error
        yield group
    finally:
        for _ in range(100):
            for process in (folder / "cgroup.procs").read_text().split():
                with suppress(ProcessLookupError):
                    os.kill(int(process), signal.SIGKILL)
            try:
                folder.rmdir()
                break
            except OSError:
                time.sleep(0.05)
