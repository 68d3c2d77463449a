"""A board with a Debian and the device wheel on it, emulated; and what it answers."""

import json
import os
import shutil
import subprocess
import sys
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tools.arm64_root import BOARDS, SYSTEMS, Board, make_environment

ROOT = Path(__file__).parents[2]
SAMPLES = sorted((ROOT / "samples").glob("*.png"))
ORIGINALS = 20
DEVICES = [(board, system) for board in BOARDS for system in SYSTEMS]

Result = subprocess.CompletedProcess[str]


@dataclass(frozen=True)
class Device:
    """One board with one system.

    Attributes:
        board: What is emulated.
        system: By its name in ``tools.arm64_root``.
        packages: Where the device wheel is installed.
        folder: Where it works.
    """

    board: Board
    system: str
    packages: Path
    folder: Path

    @property
    def is_exact(self) -> bool:
        """Whether its engine is the converter's own; tflite-runtime rounds otherwise (docs/converting.md)."""
        return "tflite-runtime" not in self.system

    def python(self, *words: str | Path) -> Result:
        """Run its Python; the wheel is the only edge-pneumo it finds."""
        program = make_environment(self.system).python(self.board)
        # Two threads, so that there are some, though several devices are at work here.
        settings = {"PYTHONPATH": str(self.packages), "EDGE_PNEUMO_THREADS": "2"}
        return run(program, *words, settings=settings, folder=self.folder)

    def edge_pneumo(self, *words: str | Path) -> Result:
        return self.python("-m", "edge_runtime", *words)


@dataclass(frozen=True)
class Answers:
    """What a device said, each as soon as it has."""

    device: Device
    verify: Future[Result]
    classify: Future[Result]
    watch: Future[Result]
    verify_full: Future[Result] | None

    @property
    def watched(self) -> Path:
        """The folder that was watched."""
        return self.device.folder / "films"

    @property
    def results(self) -> Path:
        return self.device.folder / "films-results"


def begin(device: Device, files: list[Path], workers: Executor, *, full: bool) -> Answers:
    """Let a device answer, while others do; if asked, by the full model too, which takes minutes."""
    device.folder.mkdir()
    (device.folder / "films").mkdir()
    for sample in SAMPLES:
        shutil.copy(sample, device.folder / "films")
    return Answers(
        device,
        verify=workers.submit(device.edge_pneumo, "verify", "--json"),
        classify=workers.submit(device.edge_pneumo, "classify", "--json", *files),
        watch=workers.submit(device.edge_pneumo, "watch", "films", "--once"),
        verify_full=workers.submit(device.edge_pneumo, "verify", "--json", "--bundle", "full")
        if full and device.is_exact
        else None,
    )


@dataclass(frozen=True)
class Here:
    """What this machine answers, by the same wheel and ai-edge-litert.

    Attributes:
        findings: As ``classify`` prints them.
        heatmaps: Where it drew them.
    """

    findings: list[dict[str, Any]]
    heatmaps: Path


def answers_here(files: list[Path], packages: Path, folder: Path) -> Here:
    """Let this machine answer, in a folder of its own."""
    words: list[str | Path] = ["classify", "--json", "--heatmap", folder / "maps", *files]
    settings = {"PYTHONPATH": str(packages)}
    folder.mkdir()
    result = run(sys.executable, "-m", "edge_runtime", *words, settings=settings, folder=folder)
    return Here(printed(result), folder / "maps")


def printed(result: Result) -> list[dict[str, Any]]:
    """The JSON lines of a command that must have ended well and complained of nothing."""
    assert (result.returncode, result.stderr) == (0, ""), result.stdout
    return [json.loads(line) for line in result.stdout.splitlines()]


def run(
    program: Path | str, *words: str | Path, settings: dict[str, str] | None = None, folder: Path | None = None
) -> Result:
    command = [str(program), *map(str, words)]
    environment = {**os.environ, **(settings or {})}
    return subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True)


def originals() -> list[Path]:
    """Radiographs as they were published, half of them normal, beside the data set; none where it is not."""
    data = os.environ.get("EDGE_PNEUMO_DATA")
    folder = Path(data).parent / "originals" if data else None
    if folder is None or not folder.is_dir():
        return []
    return [
        path for name in ("NORMAL", "PNEUMONIA") for path in sorted((folder / name).glob("*.jpeg"))[: ORIGINALS // 2]
    ]
