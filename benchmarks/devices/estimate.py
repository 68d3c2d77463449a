"""From counted blocks of instructions to cycles, by LLVM's model of a processor.

``llvm-mca`` simulates how a processor's units take a block's instructions, again and again: with all data in the
first-level cache and all branches foreseen. So its cycles are a floor, not a forecast.
https://llvm.org/docs/CommandGuide/llvm-mca.html
"""

import json
import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

_LEAST_VERSION: Final = 19
_ITERATIONS: Final = 100
_TARGET: Final = ("-triple=aarch64", "-mattr=+all")


@dataclass(frozen=True)
class Cycles:
    """Of a stage.

    Attributes:
        cycles: By the model, once each.
        covered: Share of the stage's instructions that lie in blocks the model took; the rest is reckoned alike.
    """

    cycles: float
    covered: float


def is_there(folder: str = "") -> bool:
    """Whether LLVM is, in a version that has the options and the processors."""
    try:
        said = subprocess.run([f"{folder}llvm-mca", "--version"], capture_output=True, text=True, check=True).stdout
        subprocess.run([f"{folder}llvm-mc", "--version"], capture_output=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return False
    found = re.search(r"LLVM version (\d+)", said)
    return found is not None and int(found[1]) >= _LEAST_VERSION


def cycles(stage: dict[str, Any], model: str, folder: str = "") -> Cycles:
    """Of what ``count.c`` counted.

    Args:
        stage: A line of it.
        model: LLVM's name of a processor.
        folder: Of LLVM's programs, with the slash behind it; empty where ``PATH`` finds them.

    Raises:
        OSError: LLVM is not there; ``is_there`` tells.
        subprocess.CalledProcessError: It fails.
    """
    # Runs of a block, its length, and its text; QEMU's blocks end where something jumps to, so that most are loops.
    blocks = [(runs, len(words) // 8, words) for runs, words in stage["blocks"]]
    texts = disassemble([words for _, _, words in blocks], folder)
    source = "\n".join(f"# LLVM-MCA-BEGIN {n}\n{text}\n# LLVM-MCA-END" for n, text in enumerate(texts))
    command = [f"{folder}llvm-mca", "-mtriple=aarch64", f"-mcpu={model}", _TARGET[1], f"-iterations={_ITERATIONS}"]
    # A call is a branch that is foreseen; some rare instruction is not in every model.
    command += ["-call-latency=1", "-skip-unsupported-instructions=lack-sched"]
    command += ["-json", "-instruction-info=false", "-resource-pressure=false"]
    said = subprocess.run(command, input=source, capture_output=True, text=True, check=True).stdout
    found = {int(region["Name"]): region["SummaryView"]["TotalCycles"] for region in json.loads(said)["CodeRegions"]}
    total = covered = 0.0
    for number, (runs, length, _) in enumerate(blocks):
        if number in found:
            total += runs * found[number] / _ITERATIONS
            covered += runs * length
    return Cycles(total * stage["instructions"] / covered, covered / stage["instructions"])


def disassemble(blocks: Sequence[str], folder: str = "") -> list[str]:
    """Blocks of instruction words in hexadecimal, eight digits each, as assembler text."""
    together = "".join(blocks)
    words = [together[place : place + 8] for place in range(0, len(together), 8)]
    octets = " ".join(f"0x{octet:02x}" for word in words for octet in bytes.fromhex(word)[::-1])
    command = [f"{folder}llvm-mc", *_TARGET, "--disassemble", "--output-asm-variant=0"]
    said = subprocess.run(command, input=octets, capture_output=True, text=True, check=True).stdout
    lines = [line.strip() for line in said.splitlines() if line.strip() and not line.strip().startswith(".")]
    assert len(lines) == len(words), f"{len(lines)} of {len(words)} instructions are known to LLVM"
    texts, place = [], 0
    for block in blocks:
        length = len(block) // 8
        texts.append("\n".join(lines[place : place + length]))
        place += length
    return texts
