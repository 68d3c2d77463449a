"""What the machine's Python says of itself and of its packages, each asked once; see ``probe``."""

import signal
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Final

import msgspec

from edge_runtime.doctor import probe
from edge_runtime.doctor.machine import Machine

_IMPORT_SECONDS: Final = 120.0  # from a slow card, for the first time
_MOST_SAID: Final = 300


class Probed(msgspec.Struct, frozen=True):
    """What a Python has said of itself; see ``probe``."""

    python: str
    bits: int
    prefix: str
    versions: Mapping[str, str]


@cache
def probed(machine: Machine) -> Probed | None:
    """What the machine's Python says; ``None`` where it says nothing that can be understood."""
    said = machine.run(machine.python, Path(probe.__file__), seconds=_IMPORT_SECONDS)
    try:
        return msgspec.json.decode(said.output, type=Probed)
    except (msgspec.DecodeError, UnicodeEncodeError):
        return None


@cache
def load(machine: Machine, module: str) -> str | None:
    """Why a module does not load; ``None`` where it does."""
    said = machine.run(machine.python, Path(probe.__file__), module, seconds=_IMPORT_SECONDS)
    if said.status == 0:
        return None
    if said.status is None:
        return said.error
    words = (said.output or said.error).splitlines() or [f"status {said.status}"]
    return ended(said.status) or words[-1][:_MOST_SAID]


def ended(status: int) -> str | None:
    """How a signal ended a process, in words; ``None`` where none did."""
    if status >= 0:
        return None
    if -status == signal.SIGILL:
        return "it uses instructions that this processor does not have"
    return f"it crashed ({signal.Signals(-status).name})"
