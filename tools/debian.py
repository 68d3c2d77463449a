"""What roots, images and environments of Debian have in common: where they are kept, and how they are filled."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from tools.environment import PIP

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "edge-pneumo"
# The Python of each release.
PYTHONS = {"bookworm": "3.11", "trixie": "3.13"}
# As Debian and as Python call them.
MACHINES = {"amd64": "x86_64", "arm64": "aarch64"}
# The last number of the C library's version: of Debian bookworm, and the oldest that a wheel is looked for with.
GLIBC, _OLDEST_GLIBC = 36, 17
# Where the service's environment lies in a root.
ENVIRONMENT = Path("/opt/edge-pneumo")


class UnavailableError(Exception):
    """Why something cannot be had on this machine; the message is a sentence."""


def make(what: str, *command: str | Path) -> None:
    """Run a command that makes something.

    Raises:
        UnavailableError: It failed; ``what`` begins the sentence.
    """
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    words = [str(word) for word in command]
    result = subprocess.run(words, env=environment, capture_output=True, text=True)
    if result.returncode:
        last = " ".join((result.stderr.strip() or result.stdout.strip()).splitlines()[-2:])
        raise UnavailableError(f"{what} cannot be made here: {Path(words[0]).name} failed ({last})")


def platforms(machine: str, glibc: int = GLIBC) -> tuple[str, ...]:
    """The platforms of wheels that run there, with the C library of this version."""
    minors = range(glibc, _OLDEST_GLIBC - 1, -1)
    return (*(f"manylinux_2_{minor}_{machine}" for minor in minors), f"manylinux2014_{machine}")


def pip_options(python: str, machine: str, glibc: int = GLIBC) -> list[str]:
    """What has pip choose wheels by hash for such a Python, as ``3.11``, on such a machine."""
    options = ["--require-hashes", "--only-binary=:all:", "--implementation=cp", f"--python-version={python}"]
    options += [f"--abi={abi}" for abi in (f"cp{python.replace('.', '')}", "abi3", "none")]
    return options + [f"--platform={platform}" for platform in platforms(machine, glibc)]


def pip_install(what: str, folder: Path, *arguments: str | Path) -> None:
    """Install into a folder with this machine's Python.

    Raises:
        UnavailableError: Pip does not; ``what`` begins the sentence.
    """
    pip = (sys.executable, PIP / "pip", "install", "--quiet", "--disable-pip-version-check", "--no-compile")
    make(what, *pip, "--target", folder, *arguments)


def install_locked(what: str, folder: Path, release: str, lock: Path, machine: str) -> None:
    """Install what a lock names into a folder, as the release's Python on such a machine would.

    Raises:
        UnavailableError: Pip does not; ``what`` begins the sentence.
    """
    pip_install(what, folder, *pip_options(PYTHONS[release], machine), f"--requirement={lock}")


def add_environment(what: str, root: Path, release: str, lock: Path, machine: str) -> None:
    """An environment in a root that can be entered, with what the lock names.

    Raises:
        UnavailableError: It cannot be made; ``what`` begins the sentence.
    """
    make(what, "chroot", root, "python3", "-m", "venv", "--without-pip", ENVIRONMENT)
    packages = root / ENVIRONMENT.relative_to("/") / f"lib/python{PYTHONS[release]}/site-packages"
    install_locked(what, packages, release, lock, machine)


def keep(unfinished: Path, place: Path, kind: str) -> None:
    """Give it its name, and remove those of the same kind that were made of something else."""
    earlier = [path for path in place.parent.glob(f"{kind}-*") if len(path.name) == len(place.name)]
    try:
        unfinished.rename(place)
    except OSError:  # somebody else has made it meanwhile
        return
    for path in earlier:
        shutil.rmtree(path, ignore_errors=True)


def mask(root: Path, units: Sequence[str]) -> None:
    """Have systemd start none of these."""
    for unit in units:
        (root / "etc/systemd/system" / unit).symlink_to("/dev/null")
