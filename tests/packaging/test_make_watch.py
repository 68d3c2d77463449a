"""`make watch`, the first thing a stranger runs."""

import contextlib
import json
import os
import pty
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.packaging.places import ROOT, SAMPLES

# With the environment there already, the step that makes it is `true tools/environment.py ...`.
_MAKE = ["make", "--no-print-directory", "watch", "PYTHON=true", "PYTHON311="]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A folder where `make watch` finds the checkout's parts and leaves its own."""
    (tmp_path / "samples").symlink_to(ROOT / "samples")
    (tmp_path / "Makefile").symlink_to(ROOT / "Makefile")
    program = tmp_path / ".venv" / "bin" / "edge-pneumo"
    program.parent.mkdir(parents=True)
    program.write_text(f'#!/bin/sh\nPYTHONPATH={ROOT} exec {sys.executable} -m edge_runtime "$@"\n')
    program.chmod(0o755)
    return tmp_path


def test_once_answers_the_samples_and_ends(checkout: Path) -> None:
    result = subprocess.run([*_MAKE, "ONCE=1"], cwd=checkout, capture_output=True, text=True)

    assert result.returncode == 0, result.stderr
    labels = {
        path.name: json.loads(path.read_text())["label"] for path in (checkout / "incoming-results").glob("*.json")
    }
    assert labels == {f"{path.name}.json": path.name.split("-")[1].upper() for path in SAMPLES}
    assert all(path.name in result.stdout for path in SAMPLES)


def test_files_in_incoming_are_never_overwritten(checkout: Path) -> None:
    mine = checkout / "incoming" / SAMPLES[0].name
    mine.parent.mkdir()
    shutil.copy(SAMPLES[-1], mine)

    subprocess.run([*_MAKE, "ONCE=1"], cwd=checkout, check=True, capture_output=True)

    assert mine.read_bytes() == SAMPLES[-1].read_bytes()


def test_a_second_run_repeats_nothing(checkout: Path) -> None:
    subprocess.run([*_MAKE, "ONCE=1"], cwd=checkout, check=True, capture_output=True)
    before = {path: path.stat().st_mtime_ns for path in (checkout / "incoming-results").glob("*.json")}

    second = subprocess.run([*_MAKE, "ONCE=1"], cwd=checkout, check=True, capture_output=True, text=True)

    assert {path: path.stat().st_mtime_ns for path in (checkout / "incoming-results").glob("*.json")} == before
    assert not any(path.name in second.stdout for path in SAMPLES)


def test_ctrl_c_ends_it_with_status_0(checkout: Path) -> None:
    ours, its = pty.openpty()
    watching = subprocess.Popen(["setsid", "--ctty", *_MAKE], cwd=checkout, stdin=its, stdout=its, stderr=its)
    os.close(its)

    shown = b""
    while len(re.findall(rb"synthetic-\w+-\d\.png", shown)) < len(SAMPLES):
        shown += os.read(ours, 4096)  # OSError when the program ends, and with it the terminal
    os.write(ours, b"\x03")
    with contextlib.suppress(OSError):
        while os.read(ours, 4096):
            pass
    os.close(ours)

    assert watching.wait() == 0
