"""What of the sandbox is opened for a camera and an Edge TPU, and nothing where none is configured.

A camera gets its devices or its address. For what is opened for cameras on a Raspberry Pi's camera port see libcamera's
pipeline handler: it takes media devices for the sensor and the image processor, and their buffers from a DMA heap. An
Edge TPU on USB gets the USB devices, since it comes back with another number, and the kernel's news of them, without
which libusb does not start; one on PCIe gets those of its driver. For all that follows systemd.exec(5) and
systemd.resource-control(5).
"""

import ipaddress
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from edge_runtime.camera.choice import Choice
from edge_runtime.errors import UsageError

if TYPE_CHECKING:  # it needs numpy
    from edge_runtime.model.engines.edgetpu_devices import Bus

# The whole folder, to read, so that a camera that is plugged in later is there; what may be opened says the policy.
_SEEN = "BindReadOnlyPaths=/dev"
PINS_GROUP: Final = "gpio"
"""Whose members may use a Raspberry Pi's pins; other systems may not have it."""
_CLOSED = ("PrivateDevices=yes", "DevicePolicy=closed")
_OPENED = ("PrivateDevices=no", "DevicePolicy=closed")
_VIDEO = ("DeviceAllow=char-video4linux rw", "SupplementaryGroups=video")
_EDGE_TPU: "Final[Mapping[Bus, str]]" = {"usb": "DeviceAllow=char-usb_device rw", "pci": "DeviceAllow=char-apex rw"}
GROUPS: "Final[Mapping[Bus, str]]" = {"usb": "plugdev", "pci": "apex"}
"""Who may use an Edge TPU, by the rules that come with its library and its driver."""

_PORT = (
    "DeviceAllow=char-media rw",
    "DeviceAllow=char-dma_heap rw",
    "DeviceAllow=/dev/vchiq rw",
    # How libcamera finds devices, its tuning of each sensor, and its helpers.
    "BindReadOnlyPaths=-/run/udev -/usr/share/libcamera -/usr/libexec/libcamera -/etc/libcamera",
)
_NO_NETWORK = ("PrivateNetwork=yes", "RestrictAddressFamilies=AF_UNIX", "IPAddressDeny=any")


def device_lines(
    camera: Choice | None, edge_tpus: "Iterable[Bus]" = (), groups: Iterable[str] = (), *, pins: bool = False
) -> str:
    """The unit's lines about devices.

    Args:
        camera: What photographs films.
        edge_tpus: Where such may be plugged in.
        groups: Of ``GROUPS`` and ``PINS_GROUP``, those that there are; systemd starts no service with another.
        pins: Whether a light or a button is wired to the board's pins.
    """
    lines: list[str] = []
    if camera is not None and camera.kind not in ("network", "file"):
        lines += [*_VIDEO, *(_PORT if camera.kind == "picamera2" else ())]
    lines += [_EDGE_TPU[bus] for bus in edge_tpus]
    lines += ["DeviceAllow=char-gpiochip rw"] if pins else []
    lines += [f"SupplementaryGroups={group}" for group in groups]
    return "\n".join([*_OPENED, *lines, _SEEN] if lines else _CLOSED)


def network_lines(camera: Choice | None, edge_tpus: "Iterable[Bus]" = ()) -> str:
    """The unit's lines about the network.

    Raises:
        UsageError: The camera is named by something else than its number in the network.
    """
    if camera is not None and camera.kind == "network":
        families = "RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6"
        lines = ["PrivateNetwork=no", families, "IPAddressDeny=any", f"IPAddressAllow={_address(camera)}"]
    else:
        lines = [*_NO_NETWORK]
    # libcamera and libusb hear from the kernel of devices that come and go.
    if "usb" in edge_tpus or (camera is not None and camera.kind == "picamera2"):
        lines = [line.replace("AF_UNIX", "AF_UNIX AF_NETLINK") for line in lines]
    return "\n".join(lines)


def _address(camera: Choice) -> str:
    host = urlsplit(camera.place).hostname or ""
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        raise UsageError(
            f"the service is let through to a camera's number in the network alone, and {host!r} is a name; write the "
            "number, as in rtsp://192.168.1.20/stream"
        ) from None
