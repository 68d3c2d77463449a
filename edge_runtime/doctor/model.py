"""The model: can its bundle be read, does the engine compute what the converter did, and how fast?"""

from pathlib import Path
from typing import Final

import msgspec

from edge_runtime.config.settings import EngineChoice
from edge_runtime.doctor import memory, program
from edge_runtime.doctor.machine import Machine
from edge_runtime.doctor.packages import ended
from edge_runtime.doctor.subject import Subject
from edge_runtime.doctor.verdict import Verdict, fail, ok, skip, warn

# The small model takes 70 MB with its engine, the large one 110.
_ROOM: Final = 128 << 20
_SECONDS: Final = 300.0  # the large model by the slow kernels takes half a minute an inference
_TRIAL: Final = "import sys; sys.path.append({!r}); from edge_runtime.doctor import trial; trial.main()"
_VERIFY: Final = "see what 'edge-pneumo verify' says, and install edge-pneumo anew"


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """The settings that say which model runs, and how; as they are called in ``config.settings``."""

    bundle: str | None
    operating_point: str | None
    engine: EngineChoice | None
    threads: int | None


class Tried(msgspec.Struct, frozen=True, kw_only=True):
    """What has come of it.

    Attributes:
        error: Why it cannot be used, in a sentence; then the others are empty.
        is_model: Whether the model itself is to blame for that.
        name: The model's.
        sha256: Of the bundle.
        engine: What ran it.
        vectors: Golden vectors that were reproduced.
        milliseconds: The fastest inference.
        is_slow: Whether that is slow for this machine; see ``model.pace``.
    """

    error: str | None = None
    is_model: bool = False
    name: str = ""
    sha256: str = ""
    engine: str = ""
    vectors: int = 0
    milliseconds: float = 0.0
    is_slow: bool = False


def model(machine: Machine, subject: Subject) -> Verdict:
    """Does it answer, rightly and fast enough?"""
    if subject.configuration is None:
        return skip("the settings are not known")
    if not machine.text("/proc/cpuinfo"):
        return skip("without /proc/cpuinfo the engine would take very long")
    if any(check(machine, subject).status not in ("ok", "warn") for check in (program.opencv, program.engine)):
        return skip("the program does not load")
    room = memory.available(machine)
    if room is not None and room < _ROOM:  # a watcher that runs must not be the one that is killed
        return skip(f"{room >> 20} MB of memory are free, too few to open the model beside what runs")
    found = _try(machine, subject)
    if isinstance(found, str):
        return fail(f"the engine does not run the model: {found}", _VERIFY)
    if found.error is not None:
        cause, _, advice = found.error.partition("; ")
        again = "install the model again: 'edge-pneumo model install', or another one by 'bundle' in the settings"
        return fail(cause, advice or (again if found.is_model else _VERIFY))
    words = f"{found.name} ({found.sha256[:12]}), {found.vectors} golden vectors reproduced"
    words = f"{words}, {found.milliseconds:.1f} ms on {found.engine}"
    if found.is_slow:
        return warn(f"{words}: slow for this machine", "see the lines about the processor and about throttling")
    return ok(words)


def _try(machine: Machine, subject: Subject) -> Tried | str:
    """What has come of it, or how the process ended."""
    bundle = subject.value("bundle")
    wanted = Wanted(
        bundle=None if bundle is None else str(bundle),
        operating_point=subject.value("operating_point"),
        engine=subject.value("engine"),
        threads=subject.value("threads"),
    )
    script = _TRIAL.format(str(Path(__file__).parents[2]))
    said = machine.run(machine.python, "-c", script, msgspec.json.encode(wanted).decode(), seconds=_SECONDS)
    if said.status is None:
        return said.error
    try:
        return msgspec.json.decode(said.output, type=Tried)
    except (msgspec.DecodeError, UnicodeEncodeError):
        last = said.error.splitlines()[-1:] or [f"status {said.status}"]
        return ended(said.status) or last[0][:200]
