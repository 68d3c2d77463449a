"""How hot the processor is, and from where on it is held back: the kernel's thermal zones.

https://docs.kernel.org/driver-api/thermal/sysfs-api.html. A Raspberry Pi's firmware holds its processor back from 80
degrees on (https://www.raspberrypi.com/documentation/computers/raspberry-pi.html, "Frequency management and thermal
control"), of which its thermal zone tells nothing.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from edge_runtime.board.sysfs import SYS, number, text

RASPBERRY_PI_CELSIUS: Final = 80.0
"""From here on the firmware of every Raspberry Pi lowers the processor's clock step by step."""

# Kinds of zones that are a processor's, such as cpu-thermal, bcm2835_thermal, soc-thermal, x86_pkg_temp.
_PROCESSOR = re.compile(r"cpu|soc|pkg|package|bcm\d|coretemp", re.IGNORECASE)
# Below, and above, a sensor tells nothing; some kernels give a trip point that is switched off as -274 degrees.
_LEAST, _MOST = -40.0, 150.0
_LEAST_TRIP: Final = 40.0
# Switched off by the kernel at the critical point. It is time to say so before.
_BEFORE_CRITICAL: Final = 5.0


@dataclass(frozen=True, slots=True)
class Temperature:
    """Of a processor.

    Attributes:
        celsius: Now.
        limit: From where on it is held back or about to be switched off, in degrees Celsius; ``None`` where nobody
            says.
    """

    celsius: float
    limit: float | None

    @property
    def is_hot(self) -> bool:
        """Whether the limit is reached."""
        return self.limit is not None and self.celsius >= self.limit


def temperature(sys: Path = SYS) -> Temperature | None:
    """Of the processor's sensor that is the nearest to its limit; ``None`` where there is none, as in most containers.

    Args:
        sys: The kernel's ``/sys``.
    """
    found = [_zone(zone) for zone in sorted((sys / "class/thermal").glob("thermal_zone*"))]
    known = [zone for zone in found if zone is not None]
    if is_raspberry_pi(sys):
        known = [Temperature(each.celsius, min(each.limit or _MOST, RASPBERRY_PI_CELSIUS)) for each in known]
    return max(known, key=_nearness, default=None)


def is_raspberry_pi(sys: Path = SYS) -> bool:
    """Whether the device tree names one."""
    return (text(sys / "firmware/devicetree/base/model") or "").startswith("Raspberry Pi")


def _nearness(found: Temperature) -> tuple[bool, float]:
    return found.limit is not None, found.celsius - (found.limit or 0.0)


def _zone(zone: Path) -> Temperature | None:
    if not _PROCESSOR.search(text(zone / "type") or ""):
        return None
    celsius = _celsius(zone / "temp")
    if celsius is None or not _LEAST <= celsius <= _MOST:
        return None
    limits = [limit for kind in sorted(zone.glob("trip_point_*_type")) if (limit := _limit(kind)) is not None]
    return Temperature(celsius, min(limits, default=None))


def _limit(kind: Path) -> float | None:
    """Of a trip point; an active one merely starts a fan."""
    at = _celsius(kind.with_name(kind.name.replace("_type", "_temp")))
    if at is None or not _LEAST_TRIP <= at <= _MOST:
        return None
    return {"passive": at, "hot": at, "critical": at - _BEFORE_CRITICAL}.get(text(kind) or "")


def _celsius(file: Path) -> float | None:
    thousandths = number(file)
    return None if thousandths is None else thousandths / 1000.0
