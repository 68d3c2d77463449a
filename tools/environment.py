"""Make one of the project's virtual environments from its lock, or do nothing where it is made already.

    python3 tools/environment.py .venv requirements/runtime.txt

Runs on a bare Python, the one the environment shall have. Debian's lacks ensurepip and pip, so pip's own wheel lies in
this folder (a wheel runs as it is) and obeys the machine's pip configuration: index, proxy, certificates.
Everything is installed by hash; edge-pneumo itself as a link to this checkout.
"""

# An older Python must get as far as the sentence that refuses it: no syntax newer than 3.7 here.
from __future__ import annotations

import hashlib
import os
import platform
import shutil
import struct
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PIP = ROOT / "tools" / "pip-26.3-py3-none-any.whl"
PIP_SHA256 = "f3b60b20ffaadd4415ed7957212a38ac63fa4c5fa375bd0f4a797777940fad13"
BUILD_LOCK = ROOT / "requirements" / "build.txt"
OLDEST, TOO_NEW = (3, 11), (3, 14)
MACHINES = ("x86_64", "aarch64")


def unsuitable(version: tuple[int, int], machine: str, bits: int) -> str | None:
    """Why a Python cannot run edge-pneumo, as a sentence with what to do; ``None`` where it can."""
    if not OLDEST <= version < TOO_NEW:
        return (
            f"edge-pneumo needs Python 3.11, 3.12 or 3.13 and this is Python {version[0]}.{version[1]}; "
            "install one of those and name it, as in `make watch PYTHON=python3.11`."
        )
    if machine not in MACHINES or bits != 64:
        return (
            f"edge-pneumo needs a 64-bit system on x86_64 or aarch64 and this Python is {bits}-bit on {machine}; "
            "on a Raspberry Pi install the 64-bit Raspberry Pi OS."
        )
    return None


def recipe(folder: Path, lock: Path) -> str:
    """A digest of all that decides what is installed; the stamp of an environment that is up to date holds it."""
    digest = hashlib.sha256()
    for path in (lock, BUILD_LOCK, ROOT / "pyproject.toml", Path(__file__)):
        digest.update(path.read_bytes())
    # The folder too: in a moved checkout the scripts of an environment point to the old place.
    for text in (str(folder.absolute()), os.path.realpath(sys.executable), str(sys.version_info[:2])):
        digest.update(text.encode())
    return digest.hexdigest()


def make(folder: Path, lock: Path) -> None:
    """Make the environment ``folder`` from ``lock``, anew where it is of another recipe or unfinished."""
    stamp = folder / "edge-pneumo.stamp"
    wanted = recipe(folder, lock)
    if stamp.exists() and stamp.read_text() == wanted:
        return
    if folder.exists() and not (folder / "pyvenv.cfg").exists():
        sys.exit(f"error: {folder} exists and is no virtual environment; move it away and try again.")
    if hashlib.sha256(PIP.read_bytes()).hexdigest() != PIP_SHA256:
        sys.exit(f"error: {PIP} is damaged; restore it with `git checkout tools`.")
    print(f"Making {folder} from {lock} (once; it takes a minute or more) ...", flush=True)
    # Anew, so that it holds what the lock names and nothing else.
    shutil.rmtree(folder, ignore_errors=True)
    venv.create(folder, with_pip=False)
    python = folder / "bin" / "python"
    locked = ("--require-hashes", "--only-binary", ":all:", "--requirement")
    _pip_install(python, *locked, str(lock))
    with tempfile.TemporaryDirectory() as build:
        _pip_install(python, *locked, str(BUILD_LOCK), "--target", build)
        editable = ("--no-deps", "--no-index", "--no-build-isolation", "--editable", str(ROOT))
        _pip_install(python, *editable, python_path=build)
    stamp.write_text(wanted)


def _pip_install(python: Path, *arguments: str, python_path: str | None = None) -> None:
    command = [str(python), str(PIP / "pip"), "install", "--quiet", "--disable-pip-version-check", *arguments]
    environment = dict(os.environ)
    environment.pop("PYTHONPATH", None)
    if python_path:
        environment["PYTHONPATH"] = python_path
    if subprocess.run(command, env=environment).returncode:
        sys.exit("error: pip could not install what is needed; read its lines above, then run the same command again.")


def main(arguments: list[str]) -> None:
    reason = unsuitable(sys.version_info[:2], platform.machine(), struct.calcsize("P") * 8)
    if reason:
        sys.exit(f"error: {reason}")
    folder, lock = arguments
    make(Path(folder), Path(lock))


if __name__ == "__main__":
    main(sys.argv[1:])
