"""How much memory there is for this program."""

import os
from pathlib import Path
from typing import Final

_GROUPS: Final = Path("/sys/fs/cgroup")


def memory_bytes(process: Path = Path("/proc/self"), groups: Path = _GROUPS) -> int:
    """The machine's memory, or the least limit of the control groups (version 2) that this process is in.

    Args:
        process: Whose groups are meant.
        groups: Where the control groups' files lie.
    """
    room = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    try:
        name = next(line[3:] for line in (process / "cgroup").read_text().splitlines() if line.startswith("0::"))
    except (OSError, StopIteration):
        return room
    group = groups / name.strip("/")
    for folder in (group, *group.parents):
        if not folder.is_relative_to(groups):
            break
        try:
            limit = (folder / "memory.max").read_text().strip()
        except OSError:
            continue
        if limit.isdecimal():
            room = min(room, int(limit))
    return room
