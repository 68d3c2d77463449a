"""The archive that a virtual machine boots from, read back by its format's description (cpio, "newc")."""

from pathlib import Path

from tools.initrd import make_initrd


def entries(archive: bytes) -> dict[str, tuple[int, bytes]]:
    """Mode and content by name."""
    found: dict[str, tuple[int, bytes]] = {}
    at = 0
    while True:
        assert archive[at : at + 6] == b"070701"
        fields = [int(archive[at + 6 + 8 * n : at + 14 + 8 * n], 16) for n in range(13)]
        mode, size, length = fields[1], fields[6], fields[11]
        name = archive[at + 110 : at + 110 + length - 1].decode()
        if name == "TRAILER!!!":
            return found
        start = at + (110 + length + 3) // 4 * 4
        found[name] = mode, archive[start : start + size]
        at = start + (size + 3) // 4 * 4


def test_each_module_comes_after_those_that_it_needs_and_no_others_come(tmp_path: Path) -> None:
    (tmp_path / "busybox").write_bytes(b"shell")
    modules = tmp_path / "6.1.0"
    for name in ("ext4.ko", "jbd2.ko", "crc16.ko", "virtio-blk.ko", "sound.ko"):
        modules.mkdir(exist_ok=True)
        (modules / name).write_text(name)
    (modules / "modules.dep").write_text("ext4.ko: jbd2.ko crc16.ko\njbd2.ko:\ncrc16.ko:\nvirtio-blk.ko:\nsound.ko:\n")

    found = entries(make_initrd(tmp_path / "busybox", modules))

    loaded = sorted(name for name in found if name.startswith("modules/"))
    assert loaded == ["modules/00-virtio-blk.ko", "modules/01-crc16.ko", "modules/02-jbd2.ko", "modules/03-ext4.ko"]
    assert found["modules/03-ext4.ko"] == (0o100644, b"ext4.ko")
    assert found["bin/busybox"] == (0o100755, b"shell")
    assert found["init"][1].startswith(b"#!/bin/busybox sh\n")
    assert found["dev"][0] == 0o040755
