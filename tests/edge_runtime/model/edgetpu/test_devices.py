import os
from pathlib import Path

import pytest

from edge_runtime.model.engines.edgetpu_devices import Device, find_devices, find_library


def write(root: Path, place: str, **said: str) -> None:
    folder = root / place
    folder.mkdir(parents=True)
    for name, text in said.items():
        (folder / name).write_text(f"{text}\n")


def stick(root: Path, place: str, address: int, *, has_program: bool = True, speed: str = "5000") -> Path:
    ids = ("18d1", "9302") if has_program else ("1a6e", "089a")
    write(
        root, f"sys/bus/usb/devices/{place}",
        idVendor=ids[0], idProduct=ids[1], busnum="2", devnum=str(address), speed=speed,
    )  # fmt: skip
    node = root / f"dev/bus/usb/002/{address:03d}"
    node.parent.mkdir(parents=True, exist_ok=True)
    node.touch()
    return node


def test_a_machine_without_any_has_none(tmp_path: Path) -> None:
    assert find_devices(tmp_path) == ()
    assert find_library(tmp_path) is None


def test_a_stick_is_found_before_and_after_it_got_its_program(tmp_path: Path) -> None:
    new = stick(tmp_path, "2-1", 3, has_program=False, speed="480")
    used = stick(tmp_path, "2-2", 4)
    write(tmp_path, "sys/bus/usb/devices/2-3", idVendor="18d1", idProduct="4ee1", busnum="2", devnum="5")
    write(tmp_path, "sys/bus/usb/devices/2-1:1.0", bInterfaceNumber="00")

    assert find_devices(tmp_path) == (
        Device("usb", 0, new, True, megabits=480),
        Device("usb", 1, used, True, megabits=5000),
    )


def test_those_on_pcie_come_first_and_tell_their_temperature(tmp_path: Path) -> None:
    stick(tmp_path, "2-1", 3)
    for number in (0, 1):
        write(tmp_path, f"sys/class/apex/apex_{number}", temp="48050")
        write(tmp_path, f"sys/bus/pci/devices/0000:0{number}:00.0", vendor="0x1ac1", device="0x089a")
        (tmp_path / f"dev/apex_{number}").touch()

    found = find_devices(tmp_path)

    assert [(device.name, device.celsius) for device in found] == [("pci:0", 48.05), ("pci:1", 48.05), ("usb:0", None)]
    assert found[0].node == tmp_path / "dev/apex_0"


def test_one_on_pcie_without_a_driver_has_no_node(tmp_path: Path) -> None:
    write(tmp_path, "sys/bus/pci/devices/0000:01:00.0", vendor="0x1ac1", device="0x089a")
    write(tmp_path, "sys/bus/pci/devices/0000:00:00.0", vendor="0x14e4", device="0x2711")

    assert find_devices(tmp_path) == (Device("pci", 0, None, False),)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may use every device")
def test_one_that_this_user_may_not_use_is_told(tmp_path: Path) -> None:
    stick(tmp_path, "2-1", 3).chmod(0o000)

    assert not find_devices(tmp_path)[0].usable


def test_one_whose_node_is_missing_cannot_be_used(tmp_path: Path) -> None:
    stick(tmp_path, "2-1", 3).unlink()

    assert not find_devices(tmp_path)[0].usable


def test_the_library_is_found_where_a_package_puts_it(tmp_path: Path) -> None:
    folder = tmp_path / "usr/lib/aarch64-linux-gnu"
    folder.mkdir(parents=True)
    (folder / "libedgetpu.so.1").touch()

    assert find_library(tmp_path) == folder / "libedgetpu.so.1"
