"""A watcher in a process of its own, whose machine has the devices that a test plugs in."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from edge_runtime.health.watcher import look
from edge_runtime.model import installed
from tests.edge_runtime.model.edgetpu import coral
from tests.edge_runtime.processes import usual_signals

SAMPLES: Final = sorted((Path(__file__).parents[4] / "samples").glob("*.png"))
PATIENCE: Final = 60.0
PROGRAM: Final = "tests.edge_runtime.model.edgetpu.program"
CPU, EDGE_TPU = "CPU", "Edge TPU usb:0"
_SAME: Final = ("status", "label", "probability", "types", "confidence", "distance", "reason")


@dataclass(frozen=True, slots=True)
class Material:
    """What all runs share.

    Attributes:
        folder: For whatever is made.
        library: That of ``coral.c``.
        compiled: A bundle with a compiled model.
        plain: The same without.
        expected: What the CPU answers, by the name of the sample.
    """

    folder: Path
    library: Path
    compiled: Path
    plain: Path
    expected: Mapping[str, Mapping[str, Any]]


def make_material(folder: Path) -> Material:
    """Compile the library, make the bundle, and have the CPU answer for the samples."""
    plain = installed.path()
    compiled = coral.with_compiled(plain, folder / "compiled.tflite")
    command = [
        sys.executable,
        "-m",
        "edge_runtime",
        "classify",
        "--json",
        "--accelerator",
        "cpu",
        "--bundle",
        str(plain),
    ]
    run = subprocess.run([*command, *map(str, SAMPLES)], capture_output=True, check=True)
    found = [json.loads(line) for line in run.stdout.splitlines()]
    expected = {Path(one["source"]).name: _answer(one) for one in found}
    return Material(folder, coral.build(folder), compiled, plain, expected)


class Watcher:
    """A watcher of its own process, given samples a few at a time."""

    def __init__(
        self, material: Material, folder: Path, root: Path, arguments: list[str], environment: Mapping[str, str]
    ) -> None:
        self._expected = material.expected
        self.folder, self.results = folder / "films", folder / "results"
        self.folder.mkdir()
        self._samples = iter(SAMPLES)
        self._given = 0
        command = [sys.executable, "-m", PROGRAM, str(root), "watch", str(self.folder), "--results", str(self.results)]
        self.process = subprocess.Popen(
            [*command, "--settle", "0", "--no-heatmap", *arguments],
            env=os.environ | environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            preexec_fn=usual_signals,
        )  # fmt: skip

    def give(self, count: int) -> list[str]:
        """Put so many samples into the folder; what answered each of them."""
        before = set(self.findings())
        for _ in range(count):
            sample = next(self._samples)
            part = self.folder / f".{sample.name}"
            shutil.copyfile(sample, part)
            part.rename(self.folder / sample.name)
        self._given += count
        self.wait(lambda: len(self.findings()) >= self._given)
        return [_short(self.findings()[name]["engine"]) for name in sorted(set(self.findings()) - before)]

    def findings(self) -> dict[str, dict[str, Any]]:
        """By the name of the sample; each has one, and as the CPU would have answered."""
        return {Path(one["source"]).name: one for one in self._lines()}

    def _lines(self) -> list[dict[str, Any]]:
        found = []
        for file in self.results.rglob("*.json"):
            record = json.loads(file.read_bytes())
            if "source" in record:
                found.append(record)
        return found

    def check(self, *, wrong: int = 0) -> int:
        """That every sample has one finding, and all but so many are the CPU's; how many there are."""
        lines = self._lines()
        assert len(lines) == self._given == len(self.findings()), (len(lines), self._given)
        differing = sum(_answer(one) != self._expected[name] for name, one in self.findings().items())
        assert differing == wrong, (differing, wrong)
        return len(lines)

    def status(self) -> tuple[dict[str, Any], int]:
        """What ``edge-pneumo status --json`` says of the watcher, and its exit status."""
        command = [sys.executable, "-m", "edge_runtime", "status", str(self.results), "--json"]
        run = subprocess.run(command, capture_output=True, check=False)
        found: dict[str, Any] = json.loads(run.stdout)
        return found.get("watcher", found), run.returncode

    def wait(self, condition: Callable[[], object], seconds: float = PATIENCE) -> None:
        until = time.monotonic() + seconds
        while not condition():
            assert self.process.poll() is None, self.process.communicate()[0]
            assert time.monotonic() < until, "it did not happen"
            time.sleep(0.05)

    def stands(self) -> dict[str, Any]:
        """What ``status`` would say, without a process for it."""
        return look(self.results)

    def wait_for(self, state: str, seconds: float = PATIENCE) -> dict[str, Any]:
        """Until it stands so; what ``status`` says then."""
        self.wait(lambda: self.stands().get("state") in (state, *(["working"] if state == "idle" else [])), seconds)
        return self.stands()

    def end(self) -> tuple[int, str]:
        """Its exit status after SIGTERM, and what it said."""
        self.process.send_signal(signal.SIGTERM)
        words = self.process.communicate(timeout=PATIENCE)[0]
        return self.process.returncode, words


def _short(engine: str) -> str:
    """``Edge TPU usb:0`` for one on that device, else ``CPU``."""
    return engine.partition(",")[0] if engine.startswith("Edge TPU") else CPU


def _answer(finding: Mapping[str, Any]) -> dict[str, Any]:
    return {key: finding.get(key) for key in _SAME}
