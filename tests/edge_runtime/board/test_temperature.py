from pathlib import Path

import pytest

from edge_runtime.board.temperature import Temperature, temperature
from tests.edge_runtime.board.planted import put, raspberry_pi, zone


def test_a_machine_without_sensors_tells_nothing(tmp_path: Path) -> None:
    assert temperature(tmp_path) is None


def test_a_raspberry_pi_is_hot_from_80_degrees_on_whatever_its_zone_says(tmp_path: Path) -> None:
    raspberry_pi(tmp_path, millidegrees=79900)
    before = temperature(tmp_path)
    raspberry_pi(tmp_path, millidegrees=80000)
    after = temperature(tmp_path)

    assert before == Temperature(79.9, 80.0)
    assert after == Temperature(80.0, 80.0)
    assert (before.is_hot, after.is_hot) == (False, True)


def test_another_board_is_hot_at_its_first_trip_point_that_holds_it_back(tmp_path: Path) -> None:
    zone(tmp_path, 0, "soc-thermal", 71000, active=50000, passive=70000, critical=115000)

    found = temperature(tmp_path)

    assert found == Temperature(71.0, 70.0)


def test_before_a_critical_point_there_are_five_degrees(tmp_path: Path) -> None:
    zone(tmp_path, 0, "x86_pkg_temp", 91000, critical=100000)

    assert temperature(tmp_path) == Temperature(91.0, 95.0)


def test_the_zone_nearest_to_its_limit_counts(tmp_path: Path) -> None:
    zone(tmp_path, 0, "cpu0-thermal", 60000, passive=95000)
    zone(tmp_path, 1, "cpu1-thermal", 58000, passive=60000)
    zone(tmp_path, 2, "cpu2-thermal", 99000)

    assert temperature(tmp_path) == Temperature(58.0, 60.0)


@pytest.mark.parametrize("kind", ["iwlwifi_1", "nvme", "battery", "acpitz"])
def test_what_is_no_processor_does_not_count(tmp_path: Path, kind: str) -> None:
    zone(tmp_path, 0, kind, 99000, passive=60000)

    assert temperature(tmp_path) is None


@pytest.mark.parametrize("said", ["", "-274000", "hot", "500000"])
def test_a_sensor_that_says_nonsense_does_not_count(tmp_path: Path, said: str) -> None:
    put(tmp_path, "class/thermal/thermal_zone0/type", "cpu-thermal")
    put(tmp_path, "class/thermal/thermal_zone0/temp", said)

    assert temperature(tmp_path) is None


def test_a_trip_point_that_is_switched_off_does_not_count(tmp_path: Path) -> None:
    zone(tmp_path, 0, "cpu-thermal", 50000, passive=-274000, hot=0)

    assert temperature(tmp_path) == Temperature(50.0, None)
