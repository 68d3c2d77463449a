"""Faults of what hangs on the board, and of the service."""

import os
import subprocess

from edge_runtime.clock import SYSTEM_CLOCK
from edge_runtime.health.health import Health
from edge_runtime.health.state_file import StateFile, process_of
from tests.edge_runtime.doctor.boards import Board


def missing_camera(board: Board) -> None:
    board.properties["PrivateDevices"] = "no"
    board.settings('[camera]\ndevice = "/dev/video0"\n')


def camera_of_somebody_else(board: Board) -> None:
    missing_camera(board)
    board.write("dev/video0", "").chmod(0o600 if os.geteuid() == 0 else 0)


def no_picamera2(board: Board) -> None:
    missing_camera(board)
    board.settings('[camera]\ndevice = "picamera2"\n')


def missing_edge_tpu(board: Board) -> None:
    board.properties["PrivateDevices"] = "no"
    board.settings('accelerator = "edgetpu"\n')


def missing_delegate(board: Board) -> None:
    board.properties["PrivateDevices"] = "no"
    usb = "sys/bus/usb/devices/2-1"
    texts = {"idVendor": "1a6e", "idProduct": "089a", "busnum": "2", "devnum": "3", "speed": "5000"}
    for name, text in texts.items():
        board.write(f"{usb}/{name}", f"{text}\n")
    board.write("dev/bus/usb/002/003", "").chmod(0o666)


def model_not_compiled(board: Board) -> None:
    missing_delegate(board)
    board.environment["EDGE_PNEUMO_EDGETPU_LIBRARY"] = "libc.so.6"  # one that loads


def edge_tpu_of_somebody_else(board: Board) -> None:
    model_not_compiled(board)
    board.settings('accelerator = "edgetpu"\n')
    (board.root / "dev/bus/usb/002/003").chmod(0o600 if os.geteuid() == 0 else 0)


def no_gpio(board: Board) -> None:
    board.properties["PrivateDevices"] = "no"
    board.remove("dev/gpiochip0")
    board.settings("[gpio]\nled = 17\n")


def stopped_service(board: Board) -> None:
    board.properties |= {"ActiveState": "inactive", "SubState": "dead"}


def service_that_fails_again_and_again(board: Board) -> None:
    board.properties |= {
        "ActiveState": "activating",
        "SubState": "auto-restart",
        "Result": "exit-code",
        "NRestarts": "9",
    }


def sandbox_that_hides_the_processor(board: Board) -> None:
    board.properties["ProcSubset"] = "pid"


def sandbox_that_hides_the_camera(board: Board) -> None:
    board.write("dev/video0", "").chmod(0o666)
    board.settings('[camera]\ndevice = "/dev/video0"\n')


def killed_watcher(board: Board) -> None:
    with subprocess.Popen(["sleep", "60"]) as process:
        was = process_of(process.pid)
        process.kill()
    StateFile(board.results, board.incoming, Health(clock=SYSTEM_CLOCK), process=was).turn()
