"""Which Edge TPUs this machine has, and whether it has the library for them: read from ``/sys``, nothing is opened.

A Coral USB Accelerator calls itself ``1a6e:089a`` ("Global Unichip Corp.") until the library has given it its program,
and ``18d1:9302`` ("Google Inc.") from then on. One on PCIe or M.2 is ``1ac1:089a``; it can be used where the kernel's
module ``apex`` has made ``/dev/apex_N`` of it.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Literal

import msgspec

LIBRARY: Final = "libedgetpu.so.1"
LIBRARY_VARIABLE: Final = "EDGE_PNEUMO_EDGETPU_LIBRARY"
"""Names another library, by its path."""

_USB: Final = frozenset({("1a6e", "089a"), ("18d1", "9302")})
_PCI: Final = ("0x1ac1", "0x089a")
# Where Debian and its like keep libraries, and where those of one's own go.
_LIBRARY_FOLDERS: Final = ("usr/lib/*-linux-gnu*", "usr/lib", "usr/lib64", "usr/local/lib", "lib/*-linux-gnu*", "lib")

ROOT = Path("/")
"""Where ``sys`` and ``dev`` lie, if nothing else is said."""

Bus = Literal["pci", "usb"]


class Device(msgspec.Struct, frozen=True):
    """An Edge TPU.

    Attributes:
        bus: What it is plugged into.
        number: Among those of its bus, from 0 on, in the order that the library counts them.
        node: The file in ``/dev`` through which it is used; ``None`` for one on PCIe for which there is no driver.
        usable: Whether this process may read and write that file.
        megabits: A second, of its USB port: 480 for USB 2, 5000 and more for USB 3; ``None`` where that is not known.
        celsius: Its temperature, which only those on PCIe tell.
    """

    bus: Bus
    number: int
    node: Path | None
    usable: bool
    megabits: int | None = None
    celsius: float | None = None

    @property
    def name(self) -> str:
        """As the library takes it in its option ``device``: ``pci:0``, ``usb:1``."""
        return f"{self.bus}:{self.number}"


def find_devices(root: Path | None = None) -> tuple[Device, ...]:
    """The Edge TPUs there are, those on PCIe first; they answer sooner.

    Args:
        root: Where ``sys`` and ``dev`` lie; ``None`` for ``ROOT``.
    """
    place = root or ROOT
    return *_on_pci(place), *_on_usb(place)


def find_library(root: Path = Path("/")) -> Path | None:
    """The library's file, if it lies where a package puts it. The loader may find it in other places too.

    Args:
        root: Where ``usr`` and ``lib`` lie.
    """
    for folder in _LIBRARY_FOLDERS:
        for found in sorted(root.glob(f"{folder}/{LIBRARY}")):
            return found
    return None


def _on_pci(root: Path) -> Iterator[Device]:
    nodes = sorted(root.glob("dev/apex_*"), key=lambda node: (len(node.name), node.name))
    for number, node in enumerate(nodes):
        thousandths = _integer(root / "sys/class/apex" / node.name / "temp")
        celsius = None if thousandths is None else thousandths / 1000.0
        yield Device("pci", number, node, _may_use(node), celsius=celsius)
    without_driver = sum(
        (_read(place / "vendor"), _read(place / "device")) == _PCI for place in root.glob("sys/bus/pci/devices/*")
    ) - len(nodes)
    for number in range(len(nodes), len(nodes) + without_driver):
        yield Device("pci", number, None, False)


def _on_usb(root: Path) -> Iterator[Device]:
    places = [
        place
        for place in root.glob("sys/bus/usb/devices/*")
        if (_read(place / "idVendor"), _read(place / "idProduct")) in _USB
    ]
    for number, place in enumerate(sorted(places)):
        bus, address = _integer(place / "busnum"), _integer(place / "devnum")
        node = None if bus is None or address is None else root / f"dev/bus/usb/{bus:03d}/{address:03d}"
        usable = node is not None and _may_use(node)
        yield Device("usb", number, node, usable, megabits=_integer(place / "speed"))


def _may_use(node: Path) -> bool:
    return os.access(node, os.R_OK | os.W_OK)


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="ascii", errors="replace").strip()
    except OSError:
        return ""


def _integer(file: Path) -> int | None:
    text = _read(file)
    return int(text) if text.isascii() and text.isdigit() else None
