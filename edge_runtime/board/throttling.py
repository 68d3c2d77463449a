"""Whether the machine holds its processor back, and why: read from files of the kernel.

| where | what is read | what it tells |
|---|---|---|
| Raspberry Pi | ``soc:firmware/get_throttled`` | under-voltage, clock capped, throttled, soft temperature limit: now |
| Raspberry Pi | hwmon ``rpi_volt``, ``in0_lcrit_alarm`` | under-voltage in the last two seconds |
| any board | ``cooling_device*``, of a processor | that the kernel holds it back, and how much |
| x86 | ``thermal_throttle/*_throttle_count`` | how often it was throttled: compare two looks |
| any | ``cpufreq/scaling_max_freq``, ``cpuinfo_max_freq`` | the share of its full clock that it may use |
| Raspberry Pi | ``vcgencmd get_throttled``, a program | the same as the first, and what has been since the start |

Nothing but the last starts a process; it needs ``/dev/vcio``, which a service's sandbox does not have, so that
``edge-pneumo doctor`` asks it and the watcher does not. Through the first, the kernel's driver shows what it asked the
firmware last, at most two seconds ago; by asking, it clears what has been, so that only bits 0 to 3 are used of it.
Linux 5.x and newer write one warning about that file into the kernel's log the first time it is read.
"""

import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from edge_runtime.board.sysfs import SYS, number, text
from edge_runtime.board.temperature import Temperature, temperature

Trouble = Literal["under-voltage", "clock capped", "throttled", "soft temperature limit"]

BITS: Final[tuple[Trouble, ...]] = ("under-voltage", "clock capped", "throttled", "soft temperature limit")
"""Bit 0 to 3: now; 16 to 19: since the start.

https://www.raspberrypi.com/documentation/computers/os.html#get_throttled
"""

_SINCE_START: Final = 16
_VCGENCMD_SECONDS: Final = 5.0
# And not pwm-fan or its like, which cool without holding back.
_PROCESSOR_COOLING: Final = ("cpufreq-", "thermal-cpufreq-", "Processor")
_COUNTS: Final = ("core_throttle_count", "package_throttle_count")

Call = Callable[[Sequence[str]], str]


@dataclass(frozen=True, slots=True)
class Reading:
    """How the machine is held back.

    Attributes:
        now: What holds it back now.
        earlier: What has, since the machine was started; known from ``vcgencmd`` alone.
        temperature: Of the processor; ``None`` where it cannot be read.
        clock: The share of its full clock that it may use, 0 to 1; ``None`` where it cannot be read.
        count: How often an x86 processor was throttled since the start; ``None`` where it does not count.
        tells_voltage: Whether this machine can tell of under-voltage at all.
    """

    now: frozenset[Trouble]
    earlier: frozenset[Trouble]
    temperature: Temperature | None
    clock: float | None
    count: int | None
    tells_voltage: bool


def look(sys: Path = SYS, *, call: Call | None = None) -> Reading:
    """How the machine is held back now.

    Args:
        sys: The kernel's ``/sys``.
        call: Runs a command and returns what it printed, or raises ``OSError``; ``None`` to start no process. Such as
            ``run``.
    """
    bits = _bits(sys)
    said = None if call is None else _asked(call)
    alarm = _alarm(sys)
    now: set[Trouble] = {*decode(bits or 0), *decode(said or 0)}
    if _is_cooled(sys):
        now.add("throttled")
    if alarm:
        now.add("under-voltage")
    return Reading(
        now=frozenset(now),
        earlier=decode((said or 0) >> _SINCE_START),
        temperature=temperature(sys),
        clock=_clock(sys),
        count=_count(sys),
        tells_voltage=bits is not None or said is not None or alarm is not None,
    )


def decode(bits: int) -> frozenset[Trouble]:
    """What bits 0 to 3 say."""
    return frozenset(name for bit, name in enumerate(BITS) if bits >> bit & 1)


def run(words: Sequence[str]) -> str:
    """Run a command and return what it printed.

    Raises:
        OSError: There is no such program, it failed or does not end.
    """
    try:
        return subprocess.run(
            list(words), stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=_VCGENCMD_SECONDS, check=True
        ).stdout
    except subprocess.SubprocessError as error:
        raise OSError(f"{words[0]} failed") from error


def _bits(sys: Path) -> int | None:
    """The firmware's; hexadecimal, without 0x."""
    # soc:firmware; on a Raspberry Pi 5 the soc's name has an address.
    for file in (sys / "devices/platform").glob("soc*/soc*:firmware/get_throttled"):
        return number(file, 16)
    return None


def _asked(call: Call) -> int | None:
    """As ``throttled=0x50005``."""
    try:
        return int(call(("vcgencmd", "get_throttled")).partition("=")[2], 16)
    except (OSError, ValueError):
        return None


def _alarm(sys: Path) -> bool | None:
    for monitor in (sys / "class/hwmon").glob("hwmon*"):
        if text(monitor / "name") == "rpi_volt":
            raised = number(monitor / "in0_lcrit_alarm")
            return None if raised is None else raised != 0
    return None


def _is_cooled(sys: Path) -> bool:
    """Whether the kernel holds a processor back, as its thermal zones tell it to."""
    devices = (sys / "class/thermal").glob("cooling_device*")
    return any(
        (number(device / "cur_state") or 0) > 0
        for device in devices
        if (text(device / "type") or "").startswith(_PROCESSOR_COOLING)
    )


def _clock(sys: Path) -> float | None:
    shares = []
    for folder in (sys / "devices/system/cpu").glob("cpu[0-9]*/cpufreq"):
        allowed, full = number(folder / "scaling_max_freq"), number(folder / "cpuinfo_max_freq")
        if allowed is not None and full:
            shares.append(min(allowed / full, 1.0))
    return min(shares, default=None)


def _count(sys: Path) -> int | None:
    folders = (sys / "devices/system/cpu").glob("cpu[0-9]*/thermal_throttle")
    counts = [number(folder / name) for folder in folders for name in _COUNTS]
    known = [count for count in counts if count is not None]
    return sum(known) if known else None
