"""What of the service's sandbox is opened for a light and a button, and that nothing is where none is configured."""

from edge_runtime.camera.choice import parse
from edge_runtime.service.devices import PINS_GROUP, device_lines


def test_nothing_is_opened_where_no_pins_are_configured() -> None:
    assert "gpio" not in device_lines(None)
    assert "PrivateDevices=yes" in device_lines(None)


def test_the_pins_alone_are_opened_and_the_policy_stays_closed() -> None:
    lines = device_lines(None, groups=(PINS_GROUP,), pins=True).splitlines()

    assert lines == [
        "PrivateDevices=no",
        "DevicePolicy=closed",
        "DeviceAllow=char-gpiochip rw",
        "SupplementaryGroups=gpio",
        "BindReadOnlyPaths=/dev",
    ]


def test_a_group_that_is_missing_is_not_named() -> None:
    assert "SupplementaryGroups" not in device_lines(None, pins=True)


def test_pins_come_on_top_of_a_camera() -> None:
    lines = device_lines(parse("0"), groups=(PINS_GROUP,), pins=True).splitlines()

    assert lines.count("PrivateDevices=no") == 1
    assert {"DeviceAllow=char-video4linux rw", "DeviceAllow=char-gpiochip rw"} <= set(lines)
