"""What a device is, for people who compare theirs: nothing in it names a person, a place or this very machine."""

import os
import platform
import re
from pathlib import Path
from typing import Final

import msgspec

from edge_runtime.board.sysfs import SYS, number, text

# CPU implementer 0x41, Arm; Linux, arch/arm64/include/asm/cputype.h.
_ARM: Final = "0x41"
_ARM_CORES: Final = {
    "0xd03": "Cortex-A53",
    "0xd04": "Cortex-A35",
    "0xd05": "Cortex-A55",
    "0xd07": "Cortex-A57",
    "0xd08": "Cortex-A72",
    "0xd09": "Cortex-A73",
    "0xd0a": "Cortex-A75",
    "0xd0b": "Cortex-A76",
    "0xd0c": "Neoverse-N1",
    "0xd40": "Neoverse-V1",
    "0xd41": "Cortex-A78",
}
_UNKNOWN: Final = "unknown"


class DeviceInfo(msgspec.Struct, frozen=True, kw_only=True):
    """What a device is.

    Attributes:
        model: Of the board or computer.
        processor: Its cores' name.
        cpus: That this process may use.
        megahertz: The full clock of the fastest; ``None`` where nobody says.
        megabytes: Of memory, as the kernel counts it.
        kernel: The numbers of its version alone: what distributions and people append may say more.
        system: The distribution.
        machine: Such as ``aarch64``.
        python: Its version.
    """

    model: str
    processor: str
    cpus: int
    megahertz: int | None
    megabytes: int
    kernel: str
    system: str
    machine: str
    python: str


def this_device(root: Path = Path("/"), *, cpus: int, release: str | None = None) -> DeviceInfo:
    """Look at the machine.

    Args:
        root: Where its ``/proc``, ``/sys`` and ``/etc`` are.
        cpus: That this process may use.
        release: The kernel's; ``None`` to ask it.
    """
    sys = root / SYS.relative_to("/")
    return DeviceInfo(
        model=_model(root, sys),
        processor=processor(text(root / "proc/cpuinfo") or ""),
        cpus=cpus,
        megahertz=_megahertz(sys),
        megabytes=_megabytes(text(root / "proc/meminfo") or ""),
        kernel=_numbers(platform.release() if release is None else release),
        system=_system(text(root / "etc/os-release") or ""),
        machine=platform.machine(),
        python=platform.python_version(),
    )


def processor(cpuinfo: str) -> str:
    """The processor's name, by ``/proc/cpuinfo``; several where its cores differ."""
    names = re.findall(r"^model name\s*:\s*(.+)$", cpuinfo, re.MULTILINE)
    if not names:
        makers = re.findall(r"^CPU implementer\s*:\s*(\w+)$", cpuinfo, re.MULTILINE)
        parts = re.findall(r"^CPU part\s*:\s*(\w+)$", cpuinfo, re.MULTILINE)
        names = [
            _ARM_CORES.get(part, f"part {part}") if maker == _ARM else f"maker {maker} part {part}"
            for maker, part in zip(makers, parts, strict=False)
        ]
    return " and ".join(dict.fromkeys(" ".join(name.split()) for name in names)) or _UNKNOWN


def _model(root: Path, sys: Path) -> str:
    """From the device tree; a PC has none, and tells its BIOS."""
    for file in (
        root / "proc/device-tree/model",
        sys / "firmware/devicetree/base/model",
        sys / "class/dmi/id/product_name",
    ):
        if found := " ".join((text(file) or "").split()):
            return found
    return _UNKNOWN


def _megahertz(sys: Path) -> int | None:
    files = (sys / "devices/system/cpu").glob("cpu[0-9]*/cpufreq/cpuinfo_max_freq")
    kilohertz = [found for file in files if (found := number(file)) is not None]
    return max(kilohertz) // 1000 if kilohertz else None


def _megabytes(meminfo: str) -> int:
    found = re.search(r"^MemTotal:\s*(\d+) kB", meminfo, re.MULTILINE)
    return int(found[1]) * 1024 // 10**6 if found else os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 10**6


def _numbers(release: str) -> str:
    found = re.match(r"\d+(\.\d+)*", release)
    return found[0] if found else _UNKNOWN


def _system(os_release: str) -> str:
    found = dict(re.findall(r'^(ID|VERSION_ID|VERSION_CODENAME)="?([^"\n]*)"?$', os_release, re.MULTILINE))
    words = found.get("ID"), found.get("VERSION_ID") or found.get("VERSION_CODENAME")
    return " ".join(word for word in words if word) or _UNKNOWN
