"""Roots of Debian with a systemd, for ``boot_systemd``: made once, with network, and kept under ``~/.cache``."""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from tools.debian import CACHE, ENVIRONMENT, UnavailableError, add_environment, keep, make, mask
from tools.environment import ROOT

_PACKAGES = ("systemd", "systemd-sysv", "python3", "libstdc++6", "passwd", "tzdata")
# What a fresh Raspberry Pi OS or Debian has beside those, of which installing a package makes use.
_INSTALLER = ("apt", "man-db")
# Nothing to log in to, nothing that waits for a network or looks for disks.
_MASKED = ("console-getty.service", "getty.target", "systemd-timesyncd.service", "systemd-networkd.service")
_WHAT = "a root to boot"


def make_root(release: str = "bookworm", lock: Path = ROOT / "requirements" / "runtime.txt") -> Path:
    """The root: Debian with systemd, and what the service needs from PyPI in ``/opt/edge-pneumo``; made if it is not.

    Raises:
        UnavailableError: It cannot be made here.
    """
    recipe = repr((_PACKAGES, _MASKED, ENVIRONMENT)).encode() + lock.read_bytes()
    machine = platform.machine()
    fill = partial(add_environment, _WHAT, release=release, lock=lock, machine=machine)
    return _kept(f"root-{release}-{machine}", release, _PACKAGES, recipe, fill)


def make_untouched_root(release: str = "bookworm", architecture: str = "") -> Path:
    """A Debian as it is after its own installation, with systemd, Python and apt, and nothing of edge-pneumo.

    Args:
        release: Debian's name of it.
        architecture: Another one than this machine's, such as ``arm64``, where the kernel hands its programs to QEMU.

    Raises:
        UnavailableError: It cannot be made here.
    """
    packages = (*_PACKAGES, *_INSTALLER)
    recipe = repr((packages, _MASKED)).encode()
    name = f"untouched-{release}-{architecture or platform.machine()}"
    return _kept(name, release, packages, recipe, architecture=architecture)


def _kept(
    name: str,
    release: str,
    packages: Sequence[str],
    recipe: bytes,
    fill: Callable[[Path], None] = lambda _: None,
    architecture: str = "",
) -> Path:
    """The root of that name in the cache; made if there is none of this recipe, and others of the name removed."""
    if os.geteuid() != 0:
        raise UnavailableError("booting a systemd of its own needs root")
    if shutil.which("mmdebstrap") is None:
        raise UnavailableError("there is no mmdebstrap here (apt-get install mmdebstrap)")
    root = CACHE / f"{name}-{hashlib.sha256(recipe).hexdigest()[:12]}"
    if root.exists():
        return root
    CACHE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE, prefix="unfinished-") as folder:
        unfinished = Path(folder) / "root"
        # In a mount namespace of its own: what it mounts in there, such as /proc, must not be within reach of the
        # clean-up here when it is broken off.
        bootstrap = ["mmdebstrap", "--quiet", "--variant=essential", "--include=" + ",".join(packages)]
        if architecture:
            # QEMU's own choice of a processor (max) is no board's.
            bootstrap = ["env", "QEMU_CPU=cortex-a72", *bootstrap, f"--architectures={architecture}"]
        make(_WHAT, "unshare", "--mount", "--", *bootstrap, release, unfinished)
        mask(unfinished, _MASKED)
        fill(unfinished)
        keep(unfinished, root, name)
    return root
