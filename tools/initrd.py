"""The first file system of a Linux that boots: just enough to find the disk and go on from there."""

from __future__ import annotations

from pathlib import Path

_WANTED = ("virtio_pci", "virtio_blk", "crc32c_generic", "ext4")
_INIT = """#!/bin/busybox sh
/bin/busybox mount -t devtmpfs dev /dev
for module in /modules/*; do /bin/busybox insmod $module; done
tries=0
while [ ! -b /dev/vda ] && [ $tries -lt 100 ]; do
    tries=$((tries + 1))
    /bin/busybox sleep 0.1
done
/bin/busybox mount -t ext4 /dev/vda /root
/bin/busybox mount --move /dev /root/dev
exec /bin/busybox switch_root /root /sbin/init
"""


def make_initrd(busybox: Path, modules: Path) -> bytes:
    """An archive (cpio, "newc") with a shell and the modules that a virtual disk with ext4 takes.

    Args:
        busybox: Linked statically, of the machine's kind.
        modules: ``/lib/modules/VERSION``, with what ``depmod`` has found out.
    """
    entries = [_entry(name, 0o040755, b"") for name in ("bin", "dev", "modules", "root")]
    entries.append(_entry("bin/busybox", 0o100755, busybox.read_bytes()))
    entries.append(_entry("init", 0o100755, _INIT.encode()))
    for number, file in enumerate(_in_order(modules)):
        entries.append(_entry(f"modules/{number:02}-{file.name}", 0o100644, file.read_bytes()))
    return b"".join([*entries, _entry("TRAILER!!!", 0, b"")])


def _in_order(modules: Path) -> list[Path]:
    """The wanted ones that are no part of the kernel, each after those that it needs."""
    lines = (line.split(":") for line in (modules / "modules.dep").read_text().splitlines())
    needs = {name: needed.split() for name, needed in lines}
    ordered: dict[str, None] = {}
    for wanted in _WANTED:
        for name in [name for name in needs if Path(name).name.partition(".")[0].replace("-", "_") == wanted]:
            ordered |= dict.fromkeys([*reversed(needs[name]), name])
    return [modules / name for name in ordered]


def _entry(name: str, mode: int, data: bytes) -> bytes:
    path = name.encode() + b"\0"
    fields = (0, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(path), 0)
    head = b"070701" + b"".join(b"%08X" % field for field in fields) + path
    return head + b"\0" * (-len(head) % 4) + data + b"\0" * (-len(data) % 4)
