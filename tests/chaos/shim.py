"""The other end of ``shim.c``: built, told what to do, and its log read.

A compiler (``cc``) is needed; where there is none, what needs this is skipped.
"""

import ctypes
import errno
import mmap
import os
import shutil
import struct
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import Final

_SOURCE = Path(__file__).with_suffix(".c")
ERRORS: Final = {"ENOSPC": errno.ENOSPC, "EIO": errno.EIO, "EROFS": errno.EROFS}


class Call(IntEnum):
    """What can be made to fail."""

    OPEN = 0
    WRITE = 1
    SYNC = 2
    RENAME = 3
    MKDIR = 4
    UNLINK = 5
    TRUNCATE = 6
    LINK = 7


class Did(IntEnum):
    """What a record of the log is."""

    CREATE = 1
    TRUNCATE = 2
    WRITE = 3
    SYNC = 4
    RENAME = 5
    UNLINK = 6
    MKDIR = 7
    RMDIR = 8
    LINK = 9
    TOLD = 10


class Unsynced(IntEnum):
    """Of what fsync does nothing and says that it did: each a fault that a power cut must show."""

    NONE = 0
    ALL = 1
    FOLDERS = 2
    FINDINGS = 3
    JOURNAL = 4


@dataclass(frozen=True, slots=True)
class Record:
    """One thing that was done.

    Attributes:
        did: What.
        inode: Of the file or folder.
        offset: In bytes, where written; the new size, where truncated.
        first: What was written or told; else the path, or the old one.
        second: The new path.
    """

    did: Did
    inode: int
    offset: int
    first: bytes
    second: bytes


class _Control(ctypes.Structure):
    _fields_ = [
        ("epoch", ctypes.c_int32),
        ("no_sync", ctypes.c_int32),
        ("fault_kind", ctypes.c_int32),
        ("fault_errno", ctypes.c_int32),
        ("fault_from", ctypes.c_int64),
        ("fault_count", ctypes.c_int64),
        ("healed", ctypes.c_int32),
        ("short_first", ctypes.c_int32),
        ("calls", ctypes.c_int64 * len(Call)),
        ("hits", ctypes.c_int64),
        ("root", ctypes.c_char * 512),
        ("log", ctypes.c_char * 512),
    ]


def compiler() -> str | None:
    """The C compiler, or ``None``."""
    return shutil.which("cc") or shutil.which("gcc")


class Shim:
    """A library between a program and its files, which is told anew before each start.

    Args:
        folder: Where it and what it shares with the program are kept.
    """

    def __init__(self, folder: Path) -> None:
        cc = compiler()
        assert cc is not None, "needs a C compiler"
        self.library = folder / "shim.so"
        subprocess.run(
            [cc, "-shared", "-fPIC", "-O1", "-Wall", "-o", self.library, _SOURCE, "-ldl", "-lpthread"], check=True
        )
        shared = folder / "control"
        shared.write_bytes(bytes(ctypes.sizeof(_Control)))
        with shared.open("r+b") as file:
            self._control = _Control.from_buffer(mmap.mmap(file.fileno(), 0))
        self._control.fault_kind = -1
        self.environment = {"LD_PRELOAD": str(self.library), "CHAOS_CONTROL": str(shared)}

    def record(
        self, root: Path, log: Path, unsynced: Unsynced = Unsynced.NONE, *, die: tuple[Call, int] | None = None
    ) -> None:
        """Write down what is done below ``root``, after what ``log`` has already; the program dies before that call."""
        self._tell(root, log)
        self._control.no_sync = unsynced
        if die is not None:
            self._control.fault_kind, self._control.fault_from = die
            self._control.fault_errno, self._control.fault_count = 0, 1

    def inject(self, root: Path, call: Call, number: int, error: int, *, count: int = 0, short: bool = False) -> None:
        """Let calls on what is below ``root`` fail.

        Args:
            root: The folder.
            call: Of which kind.
            number: The first that fails, from 1.
            error: The errno.
            count: How many fail; 0 for all, until ``heal``.
            short: The first write that is to fail writes half, the next one fails.
        """
        self._tell(root, None)
        self._control.fault_from, self._control.fault_count = number, count
        self._control.fault_errno, self._control.short_first = error, short
        self._control.fault_kind = call

    def heal(self) -> None:
        """Let nothing fail from now on."""
        self._control.healed = 1

    def rest(self) -> None:
        """Do nothing at all."""
        self._control.root = b""

    @property
    def hits(self) -> int:
        """How many calls failed."""
        return int(self._control.hits)

    def calls(self, call: Call) -> int:
        """How many calls of a kind there were."""
        return int(self._control.calls[call])

    def _tell(self, root: Path, log: Path | None) -> None:
        control = self._control
        control.fault_kind, control.no_sync, control.healed, control.hits = -1, 0, 0, 0
        control.calls = type(control.calls)()
        control.log = b"" if log is None else os.fsencode(log)
        control.root = os.fsencode(root)
        control.epoch += 1


def read_log(log: Path) -> Iterator[Record]:
    """What was done, in the order in which it was."""
    head = struct.Struct("=IIIIqq")
    data = log.read_bytes() if log.exists() else b""
    at = 0
    while at < len(data):
        kind, first, second, _, inode, offset = head.unpack_from(data, at)
        at += head.size
        yield Record(Did(kind), inode, offset, data[at : at + first], data[at + first : at + first + second])
        at += first + second
