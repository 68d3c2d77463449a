"""The environment in the package: one folder for every Python, of which the machine's own picks its part."""

from __future__ import annotations

import hashlib
import os
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath

# Of Debian 12, of Ubuntu 24.04 and of Debian 13; Raspberry Pi OS has those of Debian.
PYTHONS = ("3.11", "3.12", "3.13")
PLACE = PurePosixPath("/usr/lib/edge-pneumo")

# What no part of the runtime opens; by its path in site-packages. Nothing is stripped: numpy's and OpenCV's libraries
# were rewritten for their wheels, which strip(1) does not expect.
LEFT_OUT = (
    # LiteRT's engine for graphics cards, its compilers for telephones' accelerators and what calls them.
    "ai_edge_litert/libLiteRtWebGpuAccelerator.so",
    "ai_edge_litert/aot/*",
    "ai_edge_litert/tools/*",
    "ai_edge_litert/vendors/*",
    # Tests, and what compilers and type checkers read.
    "*/tests/*",
    "*.pyi",
    "*.pxd",
    "numpy/_core/include/*",
    "numpy/_core/lib/*",
    "numpy/_core/*_tests.*",
    "numpy/f2py/*",
    "numpy/random/lib/*",
    # A script for shells, and what lies in the distribution's metadata, too.
    "tqdm/completion.sh",
    "cv2/LICENSE*",
)

_CONFIGURATION = """\
home = /usr/bin
include-system-site-packages = true
"""


def lay_out(root: Path, wheels: Mapping[str, Sequence[Path]]) -> None:
    """Make a virtual environment that serves several versions of Python.

    An interpreter looks for its packages in ``lib/pythonX.Y`` of its environment. A file that is the same for several
    of them is there once, under several names.

    Args:
        root: Of the package; the environment goes to ``PLACE`` below it.
        wheels: What each Python gets.
    """
    place = root / PLACE.relative_to("/")
    (place / "bin").mkdir(parents=True)
    (place / "pyvenv.cfg").write_text(_CONFIGURATION)
    for name in ("python", "python3"):
        (place / "bin" / name).symlink_to("/usr/bin/python3")
    known: dict[tuple[str, str], Path] = {}
    for python, files in wheels.items():
        packages = place / "lib" / f"python{python}" / "site-packages"
        for name, content in _members(files):
            path = packages / name
            path.parent.mkdir(parents=True, exist_ok=True)
            same = known.setdefault((name, hashlib.sha256(content).hexdigest()), path)
            if same is path:
                path.write_bytes(content)
            else:
                os.link(same, path)


def is_left_out(name: str) -> bool:
    """Whether a file of a wheel is none of the runtime's."""
    return any(fnmatchcase(name, pattern) for pattern in LEFT_OUT)


def _members(wheels: Iterable[Path]) -> Iterable[tuple[str, bytes]]:
    for wheel in wheels:
        with zipfile.ZipFile(wheel) as archive:
            for member in archive.infolist():
                if not member.is_dir() and not is_left_out(member.filename):
                    yield member.filename, archive.read(member)
