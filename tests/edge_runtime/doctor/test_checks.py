"""What the faults leave open: states in between, other machines, and what must not be said."""

import json
import os
from collections.abc import Callable

import pytest

from edge_runtime.clock import SYSTEM_CLOCK
from edge_runtime.doctor import command, devices, memory, power, service, storage, subject, system
from edge_runtime.doctor.checks import examine
from edge_runtime.doctor.machine import Machine
from edge_runtime.doctor.subject import Subject
from edge_runtime.doctor.verdict import Verdict
from edge_runtime.health.health import Health
from edge_runtime.health.state_file import StateFile
from tests.edge_runtime.doctor.boards import Board, statvfs
from tests.edge_runtime.doctor.plants import program

Check = Callable[[Machine, Subject], Verdict]


def verdict(check: Check, board: Board) -> Verdict:
    machine = board.ready()
    return check(machine, subject.find(machine))


@pytest.mark.parametrize(
    ("bits", "of_power", "of_throttling"),
    [
        ("0x0", "ok", "ok"),
        ("0x50000", "warn", "ok"),  # low voltage earlier, and what it did to the clock
        ("0x50005", "fail", "ok"),
        ("0x60002", "ok", "warn"),
        ("0x80008", "ok", "warn"),
        ("0xd0008", "warn", "warn"),  # low voltage earlier, and heat now
    ],
)
def test_what_low_voltage_does_is_told_from_heat(bits: str, of_power: str, of_throttling: str, board: Board) -> None:
    board.command("vcgencmd", f"echo throttled={bits}")

    found = verdict(power.power, board).status, verdict(power.throttling, board).status

    assert found == (of_power, of_throttling)


def test_a_board_that_does_not_tell_of_its_supply_is_not_called_well(board: Board) -> None:
    board.command("vcgencmd", "echo VCHI initialization failed >&2; exit 1")

    assert verdict(power.power, board).status == "skip"


@pytest.mark.parametrize(
    ("flags", "status", "said"),
    [("sse4_2 avx2 avx512_vnni", "ok", "VNNI"), ("sse4_2 avx2", "ok", "AVX2"), ("sse4_2", "warn", "without AVX2")],
)
def test_the_processor_of_a_pc(flags: str, status: str, said: str, board: Board) -> None:
    board.write("proc/cpuinfo", f"processor : 0\nmodel name : Some CPU\nflags : {flags}\n")

    found = verdict(system.processor, board)

    assert (found.status, said in found.found) == (status, True)


def test_a_raspberry_pi_4_has_neon_and_no_dot_products(board: Board) -> None:
    board.write("proc/cpuinfo", "processor : 0\nFeatures : fp asimd evtstrm crc32 cpuid\n")

    assert (
        verdict(system.processor, board).found == "1 core, NEON, no dot products: as fast as a Raspberry Pi 4 at most"
    )


def test_a_clock_with_a_battery_needs_no_network(board: Board) -> None:
    board.command("timedatectl", "echo no")

    assert verdict(system.clock, board).status == "ok"


def test_where_nobody_knows_of_the_clock_it_is_not_judged(board: Board) -> None:
    board.command("timedatectl", "exit 1")
    board.remove("sys/class/rtc")

    assert verdict(system.clock, board).status == "skip"


def test_a_limit_of_the_shell_s_control_group_counts(board: Board) -> None:
    board.remove("etc/systemd/system/edge-pneumo.service")
    board.write("proc/self/cgroup", "0::/user.slice/session-1.scope\n")
    board.write("sys/fs/cgroup/user.slice/memory.max", f"{128 << 20}\n")

    found = verdict(memory.memory, board)

    assert (found.status, "limited to 128 MB" in found.found) == ("fail", True)


def test_zram_is_no_card(board: Board) -> None:
    board.write("proc/swaps", "Filename Type Size Used Priority\n/dev/zram0 partition 524272 301200 100\n")

    assert verdict(memory.swap, board).found == "in memory (zram)"


@pytest.mark.parametrize(
    ("free", "inodes", "status"),
    [(2 * 10**9, 10**6, "ok"), (5 * 10**8, 10**6, "warn"), (5 * 10**7, 10**6, "fail"), (2 * 10**9, 2000, "warn")],
)
def test_room_is_bytes_and_inodes(free: int, inodes: int, status: str, board: Board) -> None:
    board.statvfs = lambda _: statvfs(free=free, inodes=inodes)

    assert verdict(storage.disk_space, board).status == status


@pytest.mark.parametrize(
    ("life", "reserve", "status"),
    [
        ("0x01 0x01", "0x01", "ok"),
        ("0x09 0x01", "0x01", "warn"),
        ("0x01 0x01", "0x02", "warn"),
        ("0x0b 0x01", "0x01", "fail"),
    ],
)
def test_the_wear_of_an_emmc(life: str, reserve: str, status: str, board: Board) -> None:
    device = "sys/devices/platform/mmc/block/mmcblk0/device"
    board.write(f"{device}/life_time", f"{life}\n")
    board.write(f"{device}/pre_eol_info", f"{reserve}\n")

    assert verdict(storage.storage_health, board).status == status


def test_a_running_watcher_says_how_it_stands_and_names_no_file(board: Board) -> None:
    health = Health(clock=SYSTEM_CLOCK)
    health.ready()
    health.degrade("something with mueller-anna.png", part="folder")
    StateFile(board.results, board.incoming, health).turn()

    found = verdict(service.watcher, board)

    assert (found.status, found.found) == ("warn", "degraded, and held up by: folder")


def test_a_camera_on_its_port_is_named_by_its_model(board: Board) -> None:
    program.picamera2_that_knows(board, "imx708")

    found = verdict(devices.camera, board)

    assert (found.status, found.found) == ("ok", "picamera2:0 (imx708) is there")


def test_a_camera_s_password_is_not_said(board: Board) -> None:
    board.settings('[camera]\ndevice = "rtsp://admin:secret@192.168.1.20/stream?key=secret"\n')
    machine = board.ready()
    found = subject.find(machine)

    said = json.dumps(command.as_json(machine, found, list(examine(machine, found))))

    assert "192.168.1.20" in said
    assert "secret" not in said


def test_a_group_that_the_unit_adds_counts(board: Board) -> None:
    """As for a camera: nobody is made a member of the group ``video``."""
    video = 44044
    node = board.write("dev/video0", "")
    if os.geteuid() != 0:
        pytest.skip("only root may give a file to a group that it is no member of")
    os.chown(node, 0, video)
    node.chmod(0o660)
    board.write("etc/group", f"root:x:0:\nvideo:x:{video}:\n")
    board.settings('[camera]\ndevice = "/dev/video0"\n')
    before = verdict(devices.camera, board)

    board.write("etc/systemd/system/edge-pneumo.service", f"{board.unit()}\nSupplementaryGroups=video\n")
    after = verdict(devices.camera, board)

    assert (before.status, after.status) == ("fail", "ok")


def test_an_edge_tpu_that_is_not_wanted_is_no_fault(board: Board) -> None:
    for name, text in {"idVendor": "18d1", "idProduct": "9302", "busnum": "1", "devnum": "4", "speed": "480"}.items():
        board.write(f"sys/bus/usb/devices/1-1/{name}", f"{text}\n")
    board.settings('accelerator = "cpu"\n')

    found = verdict(devices.coral, board)

    assert (found.status, found.found) == ("ok", "not used: usb:0 (USB)")
