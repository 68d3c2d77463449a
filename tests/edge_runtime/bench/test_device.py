from pathlib import Path

import pytest

from edge_runtime.bench.device import processor, this_device

CPUINFO = Path(__file__).parents[3] / "tests" / "arm64"


def raspberry_pi(root: Path) -> Path:
    """The files that a Raspberry Pi 4 has, with a name of its own in those that may hold one."""
    for name, content in {
        "proc/cpuinfo": (CPUINFO / "raspberry-pi-4.cpuinfo").read_text(),
        "proc/device-tree/model": "Raspberry Pi 4 Model B Rev 1.5\0",
        "proc/meminfo": "MemTotal:        3884360 kB\nMemFree: 1 kB\n",
        "sys/devices/system/cpu/cpu0/cpufreq/cpuinfo_max_freq": "1800000\n",
        "etc/os-release": 'PRETTY_NAME="Ward 3 of St. Anna"\nID=debian\nVERSION_ID="12"\n',
        "etc/hostname": "st-anna-ward-3\n",
    }.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(content)
    return root


def test_raspberry_pi_is_described_without_any_name_of_its_own(tmp_path: Path) -> None:
    device = this_device(raspberry_pi(tmp_path), cpus=4, release="6.6.31+rpt-rpi-v8-st-anna-ward-3")

    assert device.model == "Raspberry Pi 4 Model B Rev 1.5"
    assert (device.processor, device.cpus, device.megahertz, device.megabytes) == ("Cortex-A72", 4, 1800, 3977)
    assert (device.kernel, device.system) == ("6.6.31", "debian 12")
    assert "anna" not in str(device).lower()
    assert "1000000000000000" not in str(device)  # the serial number


def test_machine_that_tells_nothing_is_described_all_the_same(tmp_path: Path) -> None:
    device = this_device(tmp_path, cpus=1, release="?")

    assert (device.model, device.processor, device.kernel, device.system) == ("unknown",) * 4
    assert device.megahertz is None
    assert device.megabytes > 0


def test_pc_is_called_as_its_bios_calls_it(tmp_path: Path) -> None:
    (tmp_path / "sys/class/dmi/id").mkdir(parents=True)
    (tmp_path / "sys/class/dmi/id/product_name").write_text("NUC11ATKPE\n")

    assert this_device(tmp_path, cpus=4).model == "NUC11ATKPE"


@pytest.mark.parametrize(
    ("cpuinfo", "name"),
    [
        ((CPUINFO / "raspberry-pi-5.cpuinfo").read_text(), "Cortex-A76"),
        ("model name\t: Intel(R)  N100\nmodel name\t: Intel(R)  N100\n", "Intel(R) N100"),
        (
            "CPU implementer\t: 0x41\nCPU part\t: 0xd05\n\nCPU implementer\t: 0x41\nCPU part\t: 0xd0b\n",
            "Cortex-A55 and Cortex-A76",
        ),
        ("CPU implementer\t: 0x61\nCPU part\t: 0x022\n", "maker 0x61 part 0x022"),
        ("CPU implementer\t: 0x41\nCPU part\t: 0xfff\n", "part 0xfff"),
    ],
)
def test_processors_are_known_by_their_numbers(cpuinfo: str, name: str) -> None:
    assert processor(cpuinfo) == name
