"""A Raspberry Pi's Debian, its Python and its packages, run on this machine by QEMU as that Pi's processor.

    python -m tools.arm64_root raspberry-pi-4 trixie -m edge_runtime verify        this checkout, Python 3.13

It needs ``qemu-user-static`` and, once and with network, ``mmdebstrap``; neither root nor a kernel that knows of
foreign binaries. Roots and packages are made once and kept under ``~/.cache/edge-pneumo``, by what they are made of.

QEMU translates a program's instructions and hands its system calls to this machine's kernel. It looks for each file
under the folder given with ``-L`` first, and else on this machine. What a Python is started by is a script for this
machine that starts QEMU with it, and that Python takes the script for itself (``-0``): so a process that it starts
with ``sys.executable`` is emulated, too, on the same processor. QEMU's own choice of a processor (``max``) is no
board's: it has matrix instructions that none of these has, and computes some of them wrongly.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tools.debian import (
    CACHE,
    PYTHONS,
    UnavailableError,
    install_locked,
    keep,
    make,
    pip_install,
    platforms,
)
from tools.environment import ROOT

QEMU = "qemu-aarch64-static"
_PACKAGES = ("python3", "libstdc++6")
_MACHINE = "aarch64"
_WHAT = "an arm64 system"
# What a board sees of its root. Not /tmp and the like: those are this machine's.
_SEEN = ("usr", "lib", "etc")

_LAUNCHER = """\
#!/bin/sh
# The Python of an arm64 Debian, on the processor of the board that this file is named after.
here="${{0%/bin/*}}"
exec "${{EDGE_PNEUMO_QEMU:-{qemu}}}" -cpu {cpu} -L "$here/{board}" -0 "$0" "$here/{board}/usr/bin/python{python}" "$@"
"""


@dataclass(frozen=True)
class Board:
    """A board, by its name and by QEMU's of its processor."""

    name: str
    cpu: str

    @property
    def cpuinfo(self) -> Path:
        """The board's ``/proc/cpuinfo``, from which LiteRT chooses its kernels."""
        return ROOT / "tests" / "arm64" / f"{self.name}.cpuinfo"


@dataclass(frozen=True)
class System:
    """A Debian release and what is installed there."""

    release: str
    lock: Path

    @property
    def python(self) -> str:
        """The release's Python, such as ``3.11``."""
        return PYTHONS[self.release]


BOARDS = {board.name: board for board in (Board("raspberry-pi-4", "cortex-a72"), Board("raspberry-pi-5", "cortex-a76"))}
SYSTEMS = {
    "bookworm": System("bookworm", ROOT / "requirements" / "runtime.txt"),
    "trixie": System("trixie", ROOT / "requirements" / "runtime.txt"),
    "bookworm-tflite-runtime": System("bookworm", ROOT / "requirements" / "tflite-runtime.txt"),
}


@dataclass(frozen=True)
class Environment:
    """An environment of a system, with a Python for each board.

    Attributes:
        folder: Where it lies.
        system: What it is of.
    """

    folder: Path
    system: System

    def python(self, board: Board) -> Path:
        """A program for this machine that is the board's Python, with the system's packages."""
        return self.folder / "bin" / board.name

    def view(self, board: Board) -> Path:
        """The board's file system, as QEMU's ``-L`` takes it."""
        return self.folder / board.name

    @property
    def packages(self) -> Path:
        """Its site-packages."""
        return self.folder / "lib" / f"python{self.system.python}" / "site-packages"


def make_environment(name: str) -> Environment:
    """The environment of one of ``SYSTEMS``, made if it is not.

    Raises:
        UnavailableError: It cannot be made, or nothing can be emulated here.
    """
    if shutil.which(QEMU) is None:
        raise UnavailableError(f"there is no {QEMU} here (apt-get install qemu-user-static)")
    system = SYSTEMS[name]
    root = _root(system.release)
    digest = hashlib.sha256(
        repr((root.name, platforms(_MACHINE), _SEEN, _LAUNCHER)).encode() + system.lock.read_bytes()
    )
    for board in BOARDS.values():
        digest.update(repr(board).encode() + board.cpuinfo.read_bytes())
    folder = CACHE / f"arm64-environment-{name}-{digest.hexdigest()[:12]}"
    if not folder.exists():
        with tempfile.TemporaryDirectory(dir=CACHE, prefix="unfinished-") as work:
            unfinished = Environment(Path(work) / "environment", system)
            _install(unfinished)
            for board in BOARDS.values():
                _add_board(unfinished, board, root)
            keep(unfinished.folder, folder, "arm64-environment-" + name)
    return Environment(folder, system)


def install_wheel(wheel: Path, folder: Path) -> None:
    """Install a wheel of Python alone, for ``PYTHONPATH``.

    Raises:
        UnavailableError: Pip does not.
    """
    pip_install(_WHAT, folder, "--no-index", "--no-deps", wheel)


def _root(release: str) -> Path:
    """An unpacked arm64 Debian with Python, made if it is not; nothing of it has been run or configured."""
    recipe = hashlib.sha256(repr((_PACKAGES, "extract")).encode()).hexdigest()
    root = CACHE / f"arm64-root-{release}-{recipe[:12]}"
    if root.exists():
        return root
    if shutil.which("mmdebstrap") is None:
        raise UnavailableError("there is no mmdebstrap here (apt-get install mmdebstrap)")
    CACHE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE, prefix="unfinished-") as work:
        unfinished = Path(work) / "root"
        include = "--include=" + ",".join(_PACKAGES)
        make(_WHAT, "mmdebstrap", "--quiet", "--variant=extract", "--arch=arm64", include, release, unfinished)
        keep(unfinished, root, f"arm64-root-{release}")
    return root


def _install(environment: Environment) -> None:
    """The locked packages, as a board of that system would get them."""
    system = environment.system
    install_locked(_WHAT, environment.packages, system.release, system.lock, _MACHINE)
    # By this file a Python knows that the folder beside its own is an environment.
    (environment.folder / "pyvenv.cfg").write_text("home = /usr/bin\ninclude-system-site-packages = false\n")


def _add_board(environment: Environment, board: Board, root: Path) -> None:
    view, launcher = environment.view(board), environment.python(board)
    (view / "proc").mkdir(parents=True)
    shutil.copyfile(board.cpuinfo, view / "proc" / "cpuinfo")
    for name in _SEEN:
        # From trixie on /lib is a link that no package unpacks.
        place = root / name if (root / name).exists() else root / "usr" / name
        (view / name).symlink_to(place)
    launcher.parent.mkdir(exist_ok=True)
    launcher.write_text(_LAUNCHER.format(qemu=QEMU, cpu=board.cpu, board=board.name, python=environment.system.python))
    launcher.chmod(0o755)


def main(words: Sequence[str]) -> int:
    """Run the Python of a board, on this checkout; its exit status."""
    if len(words) < 2 or words[0] not in BOARDS or words[1] not in SYSTEMS:
        usage = f"usage: python -m tools.arm64_root {{{','.join(BOARDS)}}} {{{','.join(SYSTEMS)}}} [WORD ...]"
        print(usage, file=sys.stderr)
        return 2
    try:
        python = make_environment(words[1]).python(BOARDS[words[0]])
    except UnavailableError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return subprocess.run([python, *words[2:]], env={**os.environ, "PYTHONPATH": str(ROOT)}).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
