"""Running Google's ``edgetpu_compiler``, where it is installed, and reading its report.

It exists for 64-bit x86 Linux alone (https://coral.ai/docs/edgetpu/compiler). For ``model.tflite`` it writes
``model_edgetpu.tflite`` and ``model_edgetpu.log``, the table of operators with what became of each, and prints how much
memory on the chip the parameters take.
"""

import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from edge_runtime.errors import EdgePneumoError, UsageError

PROGRAM: Final = "edgetpu_compiler"
_MAPPED: Final = "Mapped to Edge TPU"
_SECONDS: Final = 900
_ROW = re.compile(r"^(?P<name>[A-Z0-9_]+|[A-Za-z][\w-]*)\s+(?P<count>\d+)\s+(?P<status>\S.*?)\s*$")


class CompilerError(EdgePneumoError):
    """The compiler gave up on a model."""


@dataclass(frozen=True)
class Operation:
    """A row of the report: so many operators of a name, and what became of them."""

    name: str
    count: int
    status: str

    @property
    def mapped(self) -> bool:
        """Whether they run on the Edge TPU."""
        return self.status == _MAPPED


@dataclass(frozen=True)
class Report:
    """What the compiler said.

    Attributes:
        version: The compiler's, as it states it; empty if it does not.
        operations: The rows of its table.
        on_chip: Parameters that stay on the chip, as it states it (``4.21MiB``); empty if it does not.
        streamed: Parameters that are streamed anew for each image, likewise (``0.00B``).
    """

    version: str
    operations: tuple[Operation, ...]
    on_chip: str
    streamed: str

    @property
    def on_cpu(self) -> tuple[Operation, ...]:
        """What stayed on the CPU."""
        return tuple(one for one in self.operations if not one.mapped)


@dataclass(frozen=True)
class Compiled:
    """The compiled model, the compiler's report, and the log it is from."""

    model: bytes
    report: Report
    log: str


def find() -> Path | None:
    """The compiler on the ``PATH``, if it is there."""
    found = shutil.which(PROGRAM)
    return None if found is None else Path(found)


def compile_model(model: bytes, compiler: Path) -> Compiled:
    """Compile a plain ``.tflite``.

    Args:
        model: Without the archive of a bundle.
        compiler: The program.

    Raises:
        UsageError: The program cannot be started.
        CompilerError: It ended with an error, did not end, or left no model or no table.
    """
    with tempfile.TemporaryDirectory(prefix="edgetpu-") as folder:
        source = Path(folder) / "model.tflite"
        source.write_bytes(model)
        try:
            run = subprocess.run(
                [str(compiler), "-s", "-o", folder, str(source)],
                capture_output=True, text=True, errors="replace", timeout=_SECONDS, check=False,
            )  # fmt: skip
        except OSError as error:
            raise UsageError(
                f"{compiler} cannot be started ({error.strerror}): install edgetpu_compiler for this machine."
            ) from error
        except subprocess.TimeoutExpired as error:
            raise CompilerError(
                f"{compiler} did not end within {_SECONDS} s: run it by hand on the bundle's model."
            ) from error
        out, log = Path(folder) / "model_edgetpu.tflite", Path(folder) / "model_edgetpu.log"
        said = run.stdout + run.stderr
        if run.returncode != 0 or not out.is_file():
            last = next((line.strip() for line in reversed(said.splitlines()) if line.strip()), "it said nothing")
            raise CompilerError(
                f"{compiler} compiled nothing (status {run.returncode}: {last}): see whether the operators are all "
                "supported with python -m convert.edgetpu."
            )
        table = log.read_text(errors="replace") if log.is_file() else said
        report = read_report(said, table)
        if not report.operations:
            raise CompilerError(f"The report of {compiler} holds no table of operators: run a version from 2.0 on.")
        return Compiled(out.read_bytes(), report, table)


def read_report(printed: str, table: str) -> Report:
    """Read what the compiler printed and the table in its log.

    Args:
        printed: Its output.
        table: Its log, or its output where that holds the table.
    """
    # The table follows its heading; rows elsewhere are other numbers.
    _, _, below = table.partition("Operator ")
    rows = [row for line in below.splitlines()[1:] if (row := _ROW.match(line.strip()))]
    version = re.search(r"Edge TPU Compiler version (\S+)", printed + table)
    return Report(
        "" if version is None else version[1],
        tuple(Operation(row["name"], int(row["count"]), row["status"]) for row in rows),
        _amount(printed, "On-chip memory used for caching model parameters"),
        _amount(printed, "Off-chip memory used for streaming uncached model parameters"),
    )


def _amount(printed: str, name: str) -> str:
    found = re.search(rf"^{re.escape(name)}:\s*(\S+)", printed, re.MULTILINE)
    return "" if found is None else found[1]
