"""Whether a folder's file system tells of what is put there by others."""

import os
import re
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
    own, below = (0, ""), ""
    path = os.fsencode(folder)
    for line in mountinfo.splitlines():
        before, _, after = line.partition(b" - ")
        fields = before.split(b" ")
        if len(fields) < 5 or not after:
            continue
        place, kind = _plain(fields[4]), os.fsdecode(after.split(b" ", 1)[0])
        # The last of several at the same place lies over the others.
        if _is_in(path, place) and len(place) >= own[0]:
            own = (len(place), kind)
        elif _is_in(place, path) and is_silent(kind):
            below = kind
    return own[1] if is_silent(own[1]) else below or None


def is_silent(kind: str) -> bool:
    """Whether a file system of this type may be silent about new files."""
    return kind in _SILENT or kind.startswith("fuse.")


def _is_in(path: bytes, folder: bytes) -> bool:
    return path == folder or path.startswith(folder.rstrip(b"/") + b"/")


def _plain(field: bytes) -> bytes:
    # Blanks, tabs, line ends and backslashes stand there as octal numbers.
    return re.sub(rb"\\([0-7]{3})", lambda match: bytes([int(match[1], 8)]), field)
