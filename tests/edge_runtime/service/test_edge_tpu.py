"""What the sandbox opens for an Edge TPU."""

from pathlib import Path

import pytest

from edge_runtime.camera.choice import parse
from edge_runtime.service.derived import derive
from edge_runtime.service.devices import device_lines, network_lines
from edge_runtime.service.unit import Choices, this_program

CLOSED = "PrivateDevices=yes\nDevicePolicy=closed"


def test_none_opens_nothing() -> None:
    assert device_lines(None) == CLOSED
    assert "RestrictAddressFamilies=AF_UNIX\n" in network_lines(None)


def test_one_on_usb_opens_the_usb_devices_and_the_kernels_news_of_them() -> None:
    lines = device_lines(None, ["usb"], ["plugdev"]).splitlines()

    assert {"PrivateDevices=no", "DevicePolicy=closed", "DeviceAllow=char-usb_device rw"} <= set(lines)
    assert "SupplementaryGroups=plugdev" in lines
    assert "RestrictAddressFamilies=AF_UNIX AF_NETLINK" in network_lines(None, ["usb"])
    assert "PrivateNetwork=yes" in network_lines(None, ["usb"])


def test_one_on_pcie_opens_those_of_its_driver_alone() -> None:
    lines = device_lines(None, ["pci"]).splitlines()

    assert [line for line in lines if line.startswith(("DeviceAllow", "Supplementary"))] == ["DeviceAllow=char-apex rw"]
    assert network_lines(None, ["pci"]) == network_lines(None)


def test_one_beside_a_camera_opens_both() -> None:
    camera = parse("rtsp://192.168.1.20/stream")

    assert "DeviceAllow=char-usb_device rw" in device_lines(camera, ["usb"])
    assert "RestrictAddressFamilies=AF_UNIX AF_NETLINK AF_INET AF_INET6" in network_lines(camera, ["usb"])


@pytest.mark.parametrize(("choice", "expected"), [("edgetpu", ("pci", "usb")), ("cpu", ())])
def test_the_settings_say_whether_one_is_wanted(choice: str, expected: tuple[str, ...], tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text(f'accelerator = "{choice}"\n')

    planned = derive(Choices(config=file, folder=tmp_path), this_program())

    assert planned.edge_tpus == expected
