"""Which file system and which device a path lies on."""

import os
from pathlib import Path

from edge_runtime.doctor.machine import Machine
from edge_runtime.sources.mounts import Mount, mount_of


def nearest(path: Path) -> Path | None:
    """The path, or the folder nearest above it that is there; ``None`` where none can be looked at."""
    for found in (path, *path.parents):
        try:
            found.stat()
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError:
            return None
        return found
    return None


def mount_at(machine: Machine, path: Path) -> Mount | None:
    """The mount that a path lies in, or will; ``None`` where that is not known."""
    text = machine.text("/proc/self/mountinfo")
    return None if text is None else mount_of(os.path.realpath(path), os.fsencode(text))


def disk_of(machine: Machine, device: str) -> Path | None:
    """The folder in ``/sys`` of the disk that a device is, or is a part of; ``None`` where it is no disk.

    Args:
        machine: Where it is.
        device: Its numbers, such as ``179:2``.
    """
    folder = machine.path(f"/sys/dev/block/{device}").resolve()
    if not folder.is_dir():
        return None
    return folder.parent if (folder / "partition").exists() else folder


def is_card(machine: Machine, path: Path, is_file: bool) -> bool:
    """Whether a file or a device, such as of ``/proc/swaps``, is on an SD card or an eMMC."""
    if not is_file:
        return path.name.startswith("mmcblk")
    mount = mount_at(machine, path)
    disk = None if mount is None else disk_of(machine, mount.device)
    return disk is not None and disk.name.startswith("mmcblk")
