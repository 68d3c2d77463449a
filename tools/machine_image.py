"""What a virtual machine boots: a kernel, a first file system and a disk with a Debian; see ``virtual_machine``."""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tools import initrd
from tools.debian import CACHE, MACHINES, UnavailableError, add_environment, make, mask, platforms
from tools.environment import ROOT

Architecture = Literal["amd64", "arm64"]

HERE: Architecture = "arm64" if platform.machine() == "aarch64" else "amd64"
_PACKAGES = ("systemd", "systemd-sysv", "udev", "kmod", "python3", "libstdc++6", "passwd", "tzdata", "qemu-guest-agent")
_MASKED = ("getty.target", "serial-getty@.service", "systemd-timesyncd.service", "systemd-networkd.service")
_UNWANTED = "path-exclude=/usr/share/{doc,man,locale,info}/*"
_DISK = "3G"  # sparse
_WHAT = "the image of a virtual machine"


@dataclass(frozen=True)
class Image:
    """What a virtual machine boots.

    Attributes:
        architecture: Of its processor.
        folder: With ``vmlinuz``, ``initrd`` and ``disk``.
    """

    architecture: Architecture
    folder: Path


def make_image(
    architecture: Architecture = HERE,
    *,
    release: str = "bookworm",
    packages: Sequence[str] = (),
    lock: Path | None = ROOT / "requirements" / "runtime.txt",
) -> Image:
    """An image; made if it is not there.

    Args:
        architecture: Of the machine.
        release: Of Debian.
        packages: Of Debian, besides the usual ones.
        lock: What the environment at ``/opt/edge-pneumo`` holds; ``None`` for no such environment.

    Raises:
        UnavailableError: It cannot be made here; a sentence.
    """
    needed = (*_PACKAGES, *sorted(packages))
    recipe = (
        repr((needed, _MASKED, _UNWANTED, _DISK, platforms(MACHINES[architecture]))).encode()
        + Path(initrd.__file__).read_bytes()
    )
    recipe += b"" if lock is None else lock.read_bytes()
    folder = CACHE / f"machine-{release}-{architecture}-{hashlib.sha256(recipe).hexdigest()[:12]}"
    if folder.exists():
        return Image(architecture, folder)
    _refuse_to_make(architecture)
    CACHE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE, prefix="unfinished-") as name:
        image, root, kernel = (Path(name) / part for part in ("image", "root", "kernel"))
        image.mkdir()
        # The kernel is only unpacked: its scripts would make an initrd, which takes an emulated processor ten minutes.
        wanted = f"linux-image-{architecture},busybox-static"
        _bootstrap(architecture, release, kernel, "--variant=extract", f"--include={wanted}")
        _bootstrap(architecture, release, root, "--variant=minbase", f"--include={','.join(needed)}")
        modules = next((kernel / "lib/modules").iterdir())
        shutil.copyfile(next((kernel / "boot").glob("vmlinuz-*")), image / "vmlinuz")
        (root / "lib/modules").mkdir(exist_ok=True)
        shutil.move(modules, root / "lib/modules")
        make(_WHAT, "chroot", str(root), "depmod", modules.name)
        (image / "initrd").write_bytes(initrd.make_initrd(kernel / "bin/busybox", root / "lib/modules" / modules.name))
        mask(root, _MASKED)
        (root / "etc/hostname").write_text("edge\n")
        if lock is not None:
            add_environment(_WHAT, root, release, lock, MACHINES[architecture])
        make(_WHAT, "mke2fs", "-q", "-t", "ext4", "-d", str(root), str(image / "disk"), _DISK)
        image.rename(folder)
    return Image(architecture, folder)


def _refuse_to_make(architecture: Architecture) -> None:
    if os.geteuid() != 0:
        raise UnavailableError("making the image of a virtual machine needs root")
    for program in ("mmdebstrap", "mke2fs"):
        if shutil.which(program) is None:
            raise UnavailableError(f"there is no {program} here (apt-get install mmdebstrap e2fsprogs)")
    foreign = {"arm64": "qemu-aarch64", "amd64": "qemu-x86_64"}[architecture]
    if architecture != HERE and not Path("/proc/sys/fs/binfmt_misc", foreign).exists():
        raise UnavailableError(f"{foreign} is not registered with binfmt_misc (apt-get install qemu-user-static)")


def _bootstrap(architecture: Architecture, release: str, folder: Path, *options: str) -> None:
    command = ["mmdebstrap", "--quiet", f"--architectures={architecture}", f"--dpkgopt={_UNWANTED}", *options]
    # In a mount namespace of its own: what it mounts in there must not be within reach of the clean-up here.
    make(_WHAT, "unshare", "--mount", "--", *command, release, str(folder))
