"""A ``/sys`` of a machine, as files that a test can change."""

from pathlib import Path

THROTTLED = "devices/platform/soc/soc:firmware/get_throttled"


def put(sys: Path, name: str, text: str) -> None:
    """Write one file, with the line end that the kernel writes."""
    file = sys / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"{text}\n")


def raspberry_pi(sys: Path, *, bits: str = "0", millidegrees: int = 48312, alarm: int = 0) -> Path:
    """A Raspberry Pi 4 with its system's kernel."""
    put(sys, "firmware/devicetree/base/model", "Raspberry Pi 4 Model B Rev 1.5\0")
    put(sys, THROTTLED, bits)
    put(sys, "class/hwmon/hwmon0/name", "cpu_thermal")
    put(sys, "class/hwmon/hwmon1/name", "rpi_volt")
    put(sys, "class/hwmon/hwmon1/in0_lcrit_alarm", str(alarm))
    zone(sys, 0, "cpu-thermal", millidegrees, critical=90000)
    clock(sys, allowed=1800000, full=1800000)
    return sys


def zone(sys: Path, number: int, kind: str, millidegrees: int, **trips: int) -> None:
    """A thermal zone with trip points."""
    folder = f"class/thermal/thermal_zone{number}"
    put(sys, f"{folder}/type", kind)
    put(sys, f"{folder}/temp", str(millidegrees))
    for trip, (name, at) in enumerate(trips.items()):
        put(sys, f"{folder}/trip_point_{trip}_type", name)
        put(sys, f"{folder}/trip_point_{trip}_temp", str(at))


def clock(sys: Path, *, allowed: int, full: int, cpu: int = 0) -> None:
    """A processor's clock in kHz."""
    folder = f"devices/system/cpu/cpu{cpu}/cpufreq"
    put(sys, f"{folder}/scaling_max_freq", str(allowed))
    put(sys, f"{folder}/cpuinfo_max_freq", str(full))
