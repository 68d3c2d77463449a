from pathlib import Path

import pytest

from edge_runtime.sources.mounts import is_silent, silent_type

MOUNTS = rb"""22 27 0:21 / /proc rw,relatime - proc proc rw
27 1 254:0 / / rw,relatime - ext4 /dev/vda rw,discard
40 27 0:41 / /srv/share rw,relatime shared:1 - nfs4 server:/export rw,vers=4.2
41 27 0:42 / /srv/share/local rw,relatime - tmpfs tmpfs rw
42 27 0:43 / /srv/with\040blank rw,relatime shared:2 master:3 - cifs //server/x rw
43 27 8:17 / /media/stick rw,relatime - fuseblk /dev/sdb1 rw
44 27 0:44 / /srv/over rw,relatime - ext4 /dev/vdb rw
45 44 0:45 / /srv/over rw,relatime - fuse.sshfs user@host: rw
"""


@pytest.mark.parametrize(
    ("folder", "kind"),
    [
        ("/home/in", None),
        ("/srv/share", "nfs4"),
        ("/srv/share/ward", "nfs4"),
        ("/srv/share/local", None),
        ("/srv/shared", None),
        ("/srv/with blank/in", "cifs"),
        ("/media/stick", None),
        ("/srv/over/in", "fuse.sshfs"),
        ("/srv", "fuse.sshfs"),  # it holds one that is silent
        ("/", "fuse.sshfs"),
    ],
)
def test_the_file_system_of_a_folder(folder: str, kind: str | None) -> None:
    assert silent_type(folder, MOUNTS) == kind


@pytest.mark.parametrize("kind", ["nfs", "nfs4", "cifs", "smb3", "9p", "vboxsf", "afs", "ceph", "fuse.bindfs", "fuse"])
def test_silent_types(kind: str) -> None:
    assert is_silent(kind)


@pytest.mark.parametrize("kind", ["ext4", "xfs", "btrfs", "tmpfs", "vfat", "exfat", "fuseblk", "overlay", "autofs"])
def test_types_that_tell(kind: str) -> None:
    assert not is_silent(kind)


def test_reads_the_mounts_of_this_process() -> None:
    assert silent_type("/proc") is None
    assert silent_type(str(Path(__file__).parent), b"garbage\n\n") is None
