"""The machine that is examined: its files, its commands and its Python, so that a test can hand over another one."""

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Final

from edge_runtime.board.sysfs import text
from edge_runtime.clock import SYSTEM_CLOCK

_NOT_FOUND: Final = 127
_COMMAND_SECONDS: Final = 15.0


@dataclass(frozen=True, slots=True)
class Said:
    """What a command has said.

    Attributes:
        status: As the shell counts: 127 where there is no such command, ``None`` where it did not end in time, below
            zero where a signal ended it.
        output: Without the blanks around it.
        error: Likewise.
    """

    status: int | None
    output: str
    error: str

    @property
    def is_missing(self) -> bool:
        """Whether there is no such command."""
        return self.status == _NOT_FOUND


@dataclass(frozen=True, eq=False)  # each is itself: what is found out once is remembered by it
class Machine:
    """A machine.

    Attributes:
        root: Where its ``/proc``, ``/sys``, ``/dev`` and ``/etc`` lie. The folders that radiographs and findings lie in
            are not looked for beneath it.
        environment: Of the commands; its ``PATH`` says where they are.
        python: The interpreter that the program runs in.
        now: What time its clock says it is, with a time zone.
        statvfs: Of a path.
    """

    root: Path = Path("/")
    environment: Mapping[str, str] = field(default_factory=lambda: os.environ)
    python: Path = Path(sys.executable)
    now: Callable[[], datetime] = SYSTEM_CLOCK.now
    statvfs: Callable[[Path], os.statvfs_result] = os.statvfs

    def path(self, absolute: str | Path) -> Path:
        """Where a file of the machine lies, such as ``/proc/cpuinfo``."""
        return self.root / str(absolute).lstrip("/")

    def text(self, absolute: str | Path) -> str | None:
        """What a file of the machine holds, without the blanks around it; ``None`` where it cannot be read."""
        return text(self.path(absolute))

    def run(self, *words: str | Path, seconds: float = _COMMAND_SECONDS) -> Said:
        """Run a command of the machine; it must change nothing."""
        try:
            done = subprocess.run(
                [str(word) for word in words],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=seconds,
                env={**self.environment, "LC_ALL": "C.UTF-8"},  # what they say is read
            )
        except subprocess.TimeoutExpired:
            return Said(None, "", f"{words[0]} did not end within {seconds:.0f} s")
        except (FileNotFoundError, NotADirectoryError):
            return Said(_NOT_FOUND, "", f"there is no {words[0]} here")
        except OSError as error:
            return Said(_NOT_FOUND, "", f"{words[0]} cannot be run ({error.strerror})")
        return Said(done.returncode, done.stdout.strip(), done.stderr.strip())
