"""Temperature, power supply and throttling: what ``edge_runtime.board`` reads, with what it means."""

from collections.abc import Sequence

from edge_runtime.board.throttling import Reading, look
from edge_runtime.doctor.machine import Machine
from edge_runtime.doctor.subject import Subject
from edge_runtime.doctor.verdict import Verdict, fail, ok, skip, warn

_COOL = "give it air, a heat sink or a fan"
_SUPPLY = "use the power supply made for the board, a short, thick cable, and a powered hub for what hangs on USB"
_CAPPED = 0.98


def temperature(machine: Machine, _subject: Subject) -> Verdict:
    """Is the processor hot?"""
    found = _read(machine).temperature
    if found is None:
        return skip("no sensor of the processor can be read")
    words = f"{found.celsius:.0f} °C"
    if found.limit is None:
        return ok(words)
    words += f", held back from {found.limit:.0f} °C on"
    return warn(words, _COOL) if found.is_hot else ok(words)


def power(machine: Machine, _subject: Subject) -> Verdict:
    """Is, or was, the voltage too low?"""
    reading = _read(machine)
    if "under-voltage" in reading.now:
        return fail("under-voltage now: the board may stop in mid-write, and spoil its card", _SUPPLY)
    if "under-voltage" in reading.earlier:
        return warn("there has been under-voltage since the machine was started", _SUPPLY)
    return ok("the voltage holds") if reading.tells_voltage else skip("this machine does not tell of its supply")


def throttling(machine: Machine, _subject: Subject) -> Verdict:
    """Is, or was, the processor held back? What low voltage does is left to ``power``."""
    reading = _read(machine)
    for moment, held, voltage in (
        ("now", reading.now, "under-voltage" in reading.now),
        ("since the machine was started", reading.earlier, "under-voltage" in reading.earlier),
    ):
        kinds = sorted(held - {"under-voltage"})
        if kinds and not voltage:
            return warn(f"{', '.join(kinds)} {moment}: answers come slower", _COOL)
    if reading.clock is not None and reading.clock < _CAPPED and not reading.now:
        return ok(f"the clock is set to {reading.clock:.0%} of what the processor can do")
    told = reading.tells_voltage or reading.clock is not None or reading.count is not None
    return ok("the processor is not held back") if told else skip("this machine does not say")


def _read(machine: Machine) -> Reading:
    def call(words: Sequence[str]) -> str:
        said = machine.run(*words)
        if said.status != 0:
            raise OSError(said.error)
        return said.output

    return look(machine.path("/sys"), call=call)
