from collections.abc import Sequence
from pathlib import Path

import pytest

from edge_runtime.board.throttling import Trouble, look, run
from tests.edge_runtime.board.planted import THROTTLED, clock, put, raspberry_pi


def test_nothing_can_be_told_where_there_is_nothing_to_read(tmp_path: Path) -> None:
    reading = look(tmp_path)

    assert (reading.now, reading.earlier) == (frozenset(), frozenset())
    assert (reading.temperature, reading.clock, reading.count) == (None, None, None)
    assert not reading.tells_voltage


def test_a_raspberry_pi_at_ease(tmp_path: Path) -> None:
    reading = look(raspberry_pi(tmp_path))

    assert reading.now == frozenset()
    assert reading.temperature is not None
    assert reading.temperature.celsius == 48.312
    assert (reading.clock, reading.count, reading.tells_voltage) == (1.0, None, True)


@pytest.mark.parametrize(
    ("bits", "expected"),
    [
        ("1", {"under-voltage"}),
        ("2", {"clock capped"}),
        ("4", {"throttled"}),
        ("8", {"soft temperature limit"}),
        ("50005", {"under-voltage", "throttled"}),
        ("50000", set()),  # the driver clears it every two seconds: it is no more than that old, and over
        ("e0008", {"soft temperature limit"}),
    ],
)
def test_bits_of_the_firmware(tmp_path: Path, bits: str, expected: set[Trouble]) -> None:
    reading = look(raspberry_pi(tmp_path, bits=bits))

    assert reading.now == expected
    assert reading.earlier == frozenset()


def test_a_raspberry_pi_5_has_an_address_in_its_name(tmp_path: Path) -> None:
    put(tmp_path, "devices/platform/soc@107c000000/soc@107c000000:firmware/get_throttled", "4")

    assert look(tmp_path).now == {"throttled"}


def test_the_voltage_alarm_of_a_kernel_without_the_other_file(tmp_path: Path) -> None:
    raspberry_pi(tmp_path, alarm=1)
    (tmp_path / THROTTLED).unlink()

    reading = look(tmp_path)

    assert reading.now == {"under-voltage"}
    assert reading.tells_voltage


def test_vcgencmd_tells_what_has_been(tmp_path: Path) -> None:
    asked: list[Sequence[str]] = []

    def call(words: Sequence[str]) -> str:
        asked.append(words)
        return "throttled=0x50002\n"

    reading = look(tmp_path, call=call)

    assert asked == [("vcgencmd", "get_throttled")]
    assert reading.now == {"clock capped"}
    assert reading.earlier == {"under-voltage", "throttled"}
    assert reading.tells_voltage


@pytest.mark.parametrize("said", ["", "VCHI initialization failed", "throttled=", "error=1 error_msg=x"])
def test_vcgencmd_that_says_something_else_is_not_believed(tmp_path: Path, said: str) -> None:
    reading = look(tmp_path, call=lambda _: said)

    assert not reading.now
    assert not reading.tells_voltage


def test_a_missing_or_failing_program_is_an_os_error() -> None:
    with pytest.raises(OSError, match="edge-pneumo-has-no-such-program"):
        run(("edge-pneumo-has-no-such-program",))
    with pytest.raises(OSError, match="false failed"):
        run(("false",))


@pytest.mark.parametrize("kind", ["cpufreq-cpu0", "thermal-cpufreq-0", "Processor"])
def test_the_kernel_holds_a_processor_back(tmp_path: Path, kind: str) -> None:
    put(tmp_path, "class/thermal/cooling_device0/type", kind)
    put(tmp_path, "class/thermal/cooling_device0/cur_state", "0")
    before = look(tmp_path)
    put(tmp_path, "class/thermal/cooling_device0/cur_state", "3")
    after = look(tmp_path)

    assert before.now == frozenset()
    assert after.now == {"throttled"}


def test_a_fan_that_turns_holds_nothing_back(tmp_path: Path) -> None:
    put(tmp_path, "class/thermal/cooling_device0/type", "pwm-fan")
    put(tmp_path, "class/thermal/cooling_device0/cur_state", "4")

    assert look(tmp_path).now == frozenset()


def test_the_slowest_processor_tells_the_clock(tmp_path: Path) -> None:
    clock(tmp_path, allowed=3600000, full=3600000)
    clock(tmp_path, allowed=1200000, full=2400000, cpu=7)

    assert look(tmp_path).clock == 0.5


def test_throttling_of_an_x86_processor_is_counted(tmp_path: Path) -> None:
    for cpu, (core, package) in enumerate([(3, 5), (4, 5)]):
        put(tmp_path, f"devices/system/cpu/cpu{cpu}/thermal_throttle/core_throttle_count", str(core))
        put(tmp_path, f"devices/system/cpu/cpu{cpu}/thermal_throttle/package_throttle_count", str(package))

    assert look(tmp_path).count == 17
