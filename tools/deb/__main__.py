"""Build the Debian package.

    python3 -m tools.deb                         # for arm64 and amd64, into dist/
    python3 -m tools.deb --architecture arm64

It needs dpkg-deb, and the network once: what was fetched is kept. Nothing of the target runs, so every machine
builds for every other. The same commit gives the same bytes.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tools.deb.package import NAME, assemble, pack
from tools.deb.tree import PYTHONS, lay_out
from tools.deb.wheels import CannotBuildError, build, fetch
from tools.debian import MACHINES
from tools.environment import ROOT

# Where neither SOURCE_DATE_EPOCH nor git says when: 1 January 2025.
_NO_TIME = 1735689600


def make(
    architecture: str,
    versions: Sequence[str],
    folder: Path,
    epoch: int,
    *,
    pythons: Sequence[str] = PYTHONS,
    compressed: bool = True,
) -> list[Path]:
    """Build the package for one architecture and return its files, one a version.

    Args:
        architecture: ``arm64`` or ``amd64``.
        versions: Of the package and of the program in it.
        folder: Where the files go.
        epoch: Seconds since 1970 that everything in them is dated.
        pythons: Those that it runs on.
        compressed: Small; else large, and built in a moment.

    Raises:
        CannotBuildError: It cannot be built here; the message says why.
    """
    folder.mkdir(parents=True, exist_ok=True)
    os.environ["SOURCE_DATE_EPOCH"] = str(epoch)
    files = []
    with tempfile.TemporaryDirectory(prefix="edge-pneumo-deb-") as name:
        wheels = {python: fetch(architecture, python) for python in pythons}
        for version in versions:
            work = _empty(Path(name) / version)
            own = build(version, work, _empty(work / "build"))
            root = _empty(work / "root")
            lay_out(root, {python: [*others, own] for python, others in wheels.items()})
            assemble(root, version, architecture, epoch)
            file = folder / f"{NAME}_{version}_{architecture}.deb"
            pack(root, file, epoch, compressed=compressed)
            files.append(file)
            shutil.rmtree(work)
    return files


def project_version() -> str:
    """As pyproject.toml has it."""
    found = re.search(r'(?m)^version = "(.+)"$', (ROOT / "pyproject.toml").read_text())
    if found is None:
        raise CannotBuildError("pyproject.toml names no version; restore it")
    return found[1]


def source_date() -> int:
    """SOURCE_DATE_EPOCH, else the time of the commit."""
    said = os.environ.get("SOURCE_DATE_EPOCH", "")
    if not said.isdigit():
        log = subprocess.run(
            ["git", "log", "-1", "--format=%ct"], cwd=ROOT, capture_output=True, text=True, check=False
        )
        said = log.stdout.strip()
    return int(said) if said.isdigit() else _NO_TIME


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python3 -m tools.deb", description="Build the Debian package.")
    parser.add_argument("--architecture", action="append", choices=sorted(MACHINES), help="default: all")
    parser.add_argument("--version", help="default: pyproject.toml's")
    parser.add_argument("--folder", type=Path, default=ROOT / "dist", help="default: dist")
    parser.add_argument("--uncompressed", action="store_true", help="large, and built in a moment: for tests")
    chosen = parser.parse_args(arguments)
    try:
        for architecture in chosen.architecture or sorted(MACHINES):
            versions, compressed = [chosen.version or project_version()], not chosen.uncompressed
            (file,) = make(architecture, versions, chosen.folder, source_date(), compressed=compressed)
            print(f"{file}: {file.stat().st_size / 1e6:.1f} MB", flush=True)
    except CannotBuildError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


def _empty(folder: Path) -> Path:
    folder.mkdir()
    return folder


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
