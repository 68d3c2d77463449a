"""Faults of the machine itself: its system, memory, temperature, power and clock."""

from datetime import UTC, datetime, timedelta

from tests.edge_runtime.doctor.boards import Board
from tests.edge_runtime.findings import MOMENT


def old_release(board: Board) -> None:
    board.write("etc/os-release", 'PRETTY_NAME="Debian GNU/Linux 11 (bullseye)"\nID=debian\nVERSION_ID="11"\n')


def first_pi_zero(board: Board) -> None:
    board.write("proc/device-tree/model", "Raspberry Pi Zero W Rev 1.1\0")


def hidden_cpuinfo(board: Board) -> None:
    board.remove("proc/cpuinfo")


def little_memory(board: Board) -> None:
    board.write("proc/meminfo", "MemTotal:         186000 kB\nMemAvailable:    140000 kB\n")


def memory_in_use(board: Board) -> None:
    board.write("proc/meminfo", "MemTotal:        8245632 kB\nMemAvailable:      60000 kB\n")


def limit_that_is_not_enforced(board: Board) -> None:
    # As Raspberry Pi OS is delivered: its firmware says cgroup_disable=memory.
    board.write("sys/fs/cgroup/cgroup.controllers", "cpuset cpu io pids\n")


def swapping_onto_the_card(board: Board) -> None:
    board.write("proc/swaps", "Filename Type Size Used Priority\n/var/swap file 524272 301200 -2\n")


def heat(board: Board) -> None:
    board.write("sys/class/thermal/thermal_zone0/temp", "83700\n")


def under_voltage(board: Board) -> None:
    # Now and before; what low voltage does to the clock comes with it.
    board.command("vcgencmd", "echo throttled=0x50005")


def throttled_earlier(board: Board) -> None:
    board.command("vcgencmd", "echo throttled=0xe0000")


def clock_of_1970(board: Board) -> None:
    board.now = lambda: datetime(1970, 1, 1, 0, 3, tzinfo=UTC)


def clock_that_went_back(board: Board) -> None:
    board.answer()
    board.now = lambda: MOMENT - timedelta(days=30)


def clock_that_nobody_sets(board: Board) -> None:
    board.command("timedatectl", "echo no")
    board.remove("sys/class/rtc")
