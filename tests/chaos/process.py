"""What a process and its children hold and have used, by /proc."""

import os
import resource
from dataclasses import dataclass
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Usage:
    """A process and all below it, at one moment.

    Attributes:
        resident: Bytes in memory; what they share is counted in each.
        descriptors: Open files.
        threads: All of them.
        processes: Itself and its children.
        processor: Seconds of processor time, of children that have ended too.
        written: Bytes sent to the disk, as ``write_bytes`` in /proc/PID/io counts them: what was taken back before it
            reached the disk is counted too.
    """

    resident: int
    descriptors: int
    threads: int
    processes: int
    processor: float
    written: int


def usage(process: int) -> Usage:
    """What it and its children use now.

    Raises:
        OSError: It is gone.
    """
    every = [process]
    for one in every:
        for task in Path(f"/proc/{one}/task").iterdir():
            every += map(int, (task / "children").read_text().split())
    resident = sum(int(_read(one, "statm").split()[1]) for one in every) * resource.getpagesize()
    ticks = 0
    for one in every:
        # After the name, which may hold blanks: user and system time, its own and that of ended children.
        fields = _read(one, "stat").rpartition(")")[2].split()
        ticks += sum(map(int, fields[11:15]))
    written = sum(
        int(line.split()[1]) for one in every for line in _read(one, "io").splitlines() if "write_bytes" in line[:11]
    )
    descriptors = sum(sum(1 for _ in Path(f"/proc/{one}/fd").iterdir()) for one in every)
    threads = sum(sum(1 for _ in Path(f"/proc/{one}/task").iterdir()) for one in every)
    return Usage(resident, descriptors, threads, len(every), ticks / _TICKS, written)


def _read(process: int, name: str) -> str:
    return Path(f"/proc/{process}/{name}").read_text("utf-8", "replace")
