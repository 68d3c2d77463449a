"""Whether a folder's file system tells of what is put there by others."""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

# inotify (7): "the inotify API does not report events on remote filesystems", for what another machine writes never
# passes through this kernel. FUSE is in front of such a share as often as not; ntfs-3g (fuseblk) is not.
_SILENT: Final = frozenset(
    {
        *("nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ceph", "coda", "lustre", "gfs2", "ocfs2", "orangefs"),
        *("beegfs", "gpfs", "fuse", "vboxsf", "virtiofs", "vmhgfs", "prl_fs", "drvfs"),
    }
)
_MOUNTS: Final = Path("/proc/self/mountinfo")


@dataclass(frozen=True, slots=True)
class Mount:
    """A mounted file system.

    Attributes:
        place: Where it is mounted.
        kind: Its type, such as ``ext4``.
        device: Numbers of its device, such as ``179:2``; those of no real device begin with 0.
        options: Such as ``ro``, of the mount and of the file system.
    """

    place: bytes
    kind: str
    device: str
    options: frozenset[str]


def silent_type(folder: str, mountinfo: bytes | None = None) -> str | None:
    """The type of the folder's file system, or of one mounted below it, if it may be silent about new files.

    Args:
        folder: Absolute, without links.
        mountinfo: As in proc(5); read from ``/proc`` if it is not given.

    Returns:
        Such as ``nfs4`` or ``fuse.sshfs``; ``None`` where events can be relied on, or nothing is known.
    """
    if mountinfo is None:
        try:
            mountinfo = _MOUNTS.read_bytes()
        except OSError:
            return None
    own, below = mount_of(folder, mountinfo), ""
    path = os.fsencode(folder)
    for mount in _mounts(mountinfo):
        if _is_in(mount.place, path) and mount.place != path and is_silent(mount.kind):
            below = mount.kind
    return own.kind if own is not None and is_silent(own.kind) else below or None


def mount_of(folder: str, mountinfo: bytes) -> Mount | None:
    """The mount that a folder lies in; ``None`` where nothing is known.

    Args:
        folder: Absolute, without links.
        mountinfo: As in proc(5).
    """
    path = os.fsencode(folder)
    # The last of several at the same place lies over the others.
    found = [mount for mount in _mounts(mountinfo) if _is_in(path, mount.place)]
    return max(reversed(found), key=lambda mount: len(mount.place), default=None)


def is_silent(kind: str) -> bool:
    """Whether a file system of this type may be silent about new files."""
    return kind in _SILENT or kind.startswith("fuse.")


def _mounts(mountinfo: bytes) -> Iterator[Mount]:
    for line in mountinfo.splitlines():
        before, _, after = line.partition(b" - ")
        fields, rest = before.split(b" "), after.split(b" ")
        if len(fields) < 6 or not after:
            continue
        options = b",".join([fields[5], *rest[2:3]]).split(b",")
        yield Mount(
            place=_plain(fields[4]),
            kind=os.fsdecode(rest[0]),
            device=os.fsdecode(fields[2]),
            options=frozenset(map(os.fsdecode, options)),
        )


def _is_in(path: bytes, folder: bytes) -> bool:
    return path == folder or path.startswith(folder.rstrip(b"/") + b"/")


def _plain(field: bytes) -> bytes:
    # Blanks, tabs, line ends and backslashes stand there as octal numbers.
    return re.sub(rb"\\([0-7]{3})", lambda match: bytes([int(match[1], 8)]), field)
