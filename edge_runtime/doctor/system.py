"""Operating system, board, processor and clock."""

import shlex
from datetime import UTC, datetime, timedelta
from typing import Final

from edge_runtime.doctor.journal import latest_answer
from edge_runtime.doctor.machine import Machine
from edge_runtime.doctor.packages import probed
from edge_runtime.doctor.subject import Subject
from edge_runtime.doctor.verdict import Verdict, fail, ok, skip, warn

_RELEASES: Final = {"12": "bookworm", "13": "trixie"}
_64_BIT: Final = "save the findings by 'edge-pneumo backup', and write the card anew with Raspberry Pi OS (64-bit)"
# Single-board computers of before 2016 have no 64-bit processor, but for these.
_TOO_OLD: Final = (
    "Raspberry Pi Model",
    "Raspberry Pi Zero Rev",
    "Raspberry Pi Zero W",
    "Raspberry Pi 2 Model B Rev 1.0",
)
# No version of the program is older. Without a battery a clock starts at 1970, or where it was switched off.
_MADE: Final = datetime(2024, 1, 1, tzinfo=UTC)
_TOLERANCE: Final = timedelta(minutes=1)
_BITS: Final = 64


def operating_system(machine: Machine, _subject: Subject) -> Verdict:
    """Is it a 64-bit Debian or Raspberry Pi OS of a release that the program was tried on?"""
    fields = _fields(machine.text("/etc/os-release") or machine.text("/usr/lib/os-release") or "")
    if not fields:
        return skip("there is no /etc/os-release that would name it")
    is_pi_os = machine.path("/etc/rpi-issue").exists() or fields.get("ID") == "raspbian"
    name = fields.get("PRETTY_NAME", fields.get("ID", "unknown"))
    found = f"Raspberry Pi OS on {name}" if is_pi_os and "aspbian" not in name else name
    kernel = machine.run("uname", "-m").output or "unknown processor"
    own = probed(machine)
    if own is not None and own.bits != _BITS:
        return fail(f"{found}, 32-bit, on a kernel for {kernel}", _64_BIT)
    found = f"{found}, 64-bit ({kernel})"
    if fields.get("ID") not in ("debian", "raspbian"):
        return warn(found, "the program is tried on Debian 12 and 13 and on Raspberry Pi OS; use one of these")
    if fields.get("VERSION_ID") not in _RELEASES:
        return warn(found, "the program is tried on release 12 (bookworm) and 13 (trixie); update to one of these")
    return ok(found)


def board(machine: Machine, _subject: Subject) -> Verdict:
    """Which one is it?"""
    model = machine.text("/proc/device-tree/model") or machine.text("/sys/firmware/devicetree/base/model")
    if not model:
        names = [machine.text(f"/sys/class/dmi/id/{name}") for name in ("sys_vendor", "product_name")]
        words = " ".join(name for name in names if name)
        return ok(words) if words else skip("this machine does not say what it is")
    if model.startswith(_TOO_OLD):
        return fail(model, "its processor has no 64-bit mode; use a Raspberry Pi Zero 2 W, 3, 4 or 5")
    return ok(model)


def processor(machine: Machine, _subject: Subject) -> Verdict:
    """Has it the vector instructions that the engine is made for, and can the engine find that out?"""
    text = machine.text("/proc/cpuinfo")
    if not text:
        return fail(
            "/proc/cpuinfo cannot be read, without which the engine takes kernels that are hundreds of times slower",
            "let this user read it: take ProcSubset=pid, or whatever else hides it, away",
        )
    lines = dict(_pair(line) for line in reversed(text.splitlines()) if ":" in line)
    count = sum(line.startswith("processor") for line in text.splitlines())
    arm, x86 = lines.get("Features", "").split(), lines.get("flags", "").split()
    if arm:
        return _arm(count, set(arm))
    if x86:
        return _x86(f"{count} x {lines.get('model name', 'x86')}", set(x86))
    return skip("/proc/cpuinfo does not say what the processor can do")


def clock(machine: Machine, subject: Subject) -> Verdict:
    """Is the time right, and set by the network or a clock with a battery?"""
    now = machine.now()
    said = f"{now.astimezone():%Y-%m-%d %H:%M %Z}"
    set_it = (
        "findings carry the time: connect the network and say 'sudo timedatectl set-ntp true', or 'sudo date -s TIME'"
    )
    if now < _MADE:
        return fail(f"it says {said}, when this program had not been made", set_it)
    last = latest_answer(subject)
    if last is not None and last > now + _TOLERANCE:
        return fail(f"it says {said}, and the latest finding is of {last.astimezone():%Y-%m-%d %H:%M %Z}", set_it)
    is_set = _is_synchronised(machine)
    if is_set:
        return ok(f"{said}, set by the network")
    if any(machine.path("/sys/class/rtc").glob("rtc*")):
        return ok(f"{said}, by the machine's own clock" + (", not set by the network" if is_set is False else ""))
    if is_set is None:
        return skip(f"{said}; nobody here says whether it was set by the network")
    return warn(f"{said}, not set by the network, and this machine has no clock that runs while it is off", set_it)


def _arm(count: int, features: set[str]) -> Verdict:
    cores = f"{count} core{'' if count == 1 else 's'}"
    if not features & {"asimd", "neon"}:
        return fail(f"{cores} without NEON", "the engine needs it; use a Raspberry Pi Zero 2 W, 3, 4 or 5")
    more = "dot products (asimddp)" if "asimddp" in features else "no dot products: as fast as a Raspberry Pi 4 at most"
    return ok(f"{cores}, NEON, {more}")


def _x86(name: str, flags: set[str]) -> Verdict:
    if "avx2" not in flags:
        return warn(f"{name}, without AVX2", "answers take several times as long; 'edge-pneumo bench' says how long")
    return ok(f"{name}, AVX2" + (" and VNNI" if flags & {"avx512_vnni", "avx_vnni"} else ""))


def _is_synchronised(machine: Machine) -> bool | None:
    said = machine.run("timedatectl", "show", "--property=NTPSynchronized", "--value")
    if said.status == 0 and said.output in ("yes", "no"):
        return said.output == "yes"
    return True if machine.path("/run/systemd/timesync/synchronized").exists() else None


def _fields(text: str) -> dict[str, str]:
    """Of os-release(5): what a shell would make of it."""
    found = {}
    for line in text.splitlines():
        key, mark, value = line.partition("=")
        if mark and not line.startswith("#"):
            try:
                found[key.strip()] = " ".join(shlex.split(value))
            except ValueError:
                continue
    return found


def _pair(line: str) -> tuple[str, str]:
    key, _, value = line.partition(":")
    return key.strip(), value.strip()
