"""What a device installs, as wheels: those of the lock for an architecture and a Python, and the project's own."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tools.debian import CACHE, MACHINES, keep, pip_options
from tools.environment import BUILD_LOCK, PIP, ROOT

LOCK = ROOT / "requirements" / "pi.txt"
# The oldest C library that a wheel may ask for and that the package depends on, and all before it.
GLIBC = (2, 28)
# What the project's wheel is made of; nothing else of a checkout can get into it.
_SOURCES = ("edge_runtime", "systemd", "pyproject.toml", "README.md", "LICENSE")


class CannotBuildError(Exception):
    """Why there can be no package; the message is a sentence."""


class CannotFetchError(CannotBuildError):
    """What the package is made of cannot be had; mostly there is no network."""


def fetch(architecture: str, python: str) -> list[Path]:
    """What the lock names, downloaded by hash and kept under ``~/.cache/edge-pneumo``.

    Args:
        architecture: As Debian calls it.
        python: Such as ``3.11``.

    Raises:
        CannotFetchError: Pip could not.
    """
    words = ["download", "--no-deps", *pip_options(python, MACHINES[architecture], GLIBC[1])]
    recipe = hashlib.sha256(repr(words).encode() + LOCK.read_bytes()).hexdigest()
    kept = CACHE / f"wheels-{architecture}-{python}-{recipe[:12]}"
    if not kept.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=CACHE, prefix="unfinished-") as name:
            unfinished = Path(name) / "wheels"
            _pip([*words, "--dest", str(unfinished), "--requirement", str(LOCK)])
            keep(unfinished, kept, f"wheels-{architecture}-{python}")
    return sorted(kept.glob("*.whl"))


def build(version: str, folder: Path, work: Path) -> Path:
    """Build the project's wheel from a copy of the checkout.

    Args:
        version: Its version; another one than the checkout's makes the package of another version of the same tree.
        folder: Where the wheel goes.
        work: An empty folder.

    Raises:
        CannotBuildError: It cannot be built.
        CannotFetchError: What builds it cannot be had.
    """
    sources, backend = work / "sources", work / "backend"
    sources.mkdir()
    for name in _SOURCES:
        path = ROOT / name
        if path.is_dir():
            shutil.copytree(path, sources / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copyfile(path, sources / name)
    project = sources / "pyproject.toml"
    project.write_text(re.sub(r'(?m)^version = ".*"$', f'version = "{version}"', project.read_text(), count=1))
    locked = ["--require-hashes", "--only-binary=:all:", "--requirement", str(BUILD_LOCK)]
    _pip(["install", *locked, "--target", str(backend)])
    words = ["wheel", "--no-deps", "--no-index", "--no-build-isolation", "--wheel-dir", str(folder), str(sources)]
    _pip(words, python_path=backend)
    return next(folder.glob("edge_pneumo-*.whl"))


def _pip(words: Sequence[str], python_path: Path | None = None) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    if python_path:
        environment["PYTHONPATH"] = str(python_path)
    command = [sys.executable, str(PIP / "pip"), words[0], "--quiet", "--disable-pip-version-check", *words[1:]]
    result = subprocess.run(command, env=environment, capture_output=True, text=True)
    if result.returncode:
        last = " ".join((result.stderr.strip() or result.stdout.strip()).splitlines()[-1:])
        kind = CannotBuildError if words[0] == "wheel" else CannotFetchError
        raise kind(f"pip could not {words[0]} what the package is made of ({last})")
