"""Faults of the folders and of the disk.

Where root, loop devices and mkfs.ext4 are to be had, a disk's are those of a real one: a file system of its own, filled
up, without inodes, read-only, or with an error that the kernel has counted.
"""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from edge_runtime.locate import JOURNAL
from tests.edge_runtime.doctor.boards import Board, statvfs
from tests.edge_runtime.doctor.plants import CannotPlantError


def folder_that_is_gone(board: Board) -> None:
    board.incoming.rmdir()


def folder_of_somebody_else(board: Board) -> None:
    os.chown(board.incoming, os.geteuid(), -1)
    board.incoming.chmod(0o700 if os.geteuid() == 0 else 0)


def results_that_may_not_be_written(board: Board) -> None:
    board.results.chmod(0o555)


def few_watches(board: Board) -> None:
    for number in range(20):
        (board.incoming / str(number)).mkdir()
    board.write("proc/sys/fs/inotify/max_user_watches", "16\n")


def results_in_memory(board: Board) -> Iterator[None]:
    with _mounted(board, "-t", "tmpfs", "tmpfs"):
        yield


def full_disk(board: Board) -> Iterator[None]:
    with _disk(board, "1500M"):
        free = os.statvfs(board.results)
        leave = 40 * 10**6
        _run("fallocate", "-l", str(free.f_bavail * free.f_frsize - leave), str(board.results / "filler"))
        yield


def disk_without_inodes(board: Board) -> Iterator[None]:
    with _disk(board, "3G", "-N", "300"):
        yield


def read_only_disk(board: Board) -> Iterator[None]:
    with _disk(board, "3G"):
        _run("mount", "-o", "remount,ro", str(board.results))
        board.root.joinpath("proc/self/mountinfo").write_text("27 1 179:2 / / rw - ext4 /dev/mmcblk0p2 rw\n")
        board.mounted(_line_of(board.results))
        yield


def file_system_with_an_error(board: Board) -> Iterator[None]:
    with _disk(board, "3G") as device:
        Path(f"/sys/fs/ext4/{device}/trigger_fs_error").write_text("planted")
        yield


def stick_with_vfat(board: Board) -> None:
    board.mounted(f"99 27 8:1 / {board.results} rw - vfat /dev/sda1 rw")


def share(board: Board) -> None:
    board.mounted(f"99 27 0:52 / {board.results} rw - nfs4 server:/results rw")


def worn_card(board: Board) -> None:
    device = "sys/devices/platform/mmc/block/mmcblk0/device"
    board.write(f"{device}/life_time", "0x0a 0x0b\n")
    board.write(f"{device}/pre_eol_info", "0x03\n")


def retention_beyond_the_disk(board: Board) -> None:
    board.statvfs = lambda _: statvfs(free=4 * 10**9, size=8 * 10**9)
    board.settings("[retention]\nmegabytes = 20000\n")


def damaged_journal(board: Board) -> None:
    board.answer()
    file = board.results / JOURNAL
    file.write_bytes(b"SQLite format 3\0" + b"\xff" * (file.stat().st_size - 16))


@contextmanager
def _disk(board: Board, size: str, *options: str) -> Iterator[str]:
    """Results on a real ext4 of their own: the name of its device."""
    if os.geteuid() != 0 or shutil.which("mkfs.ext4", path="/usr/sbin:/sbin") is None:
        raise CannotPlantError("a disk of its own needs root and mkfs.ext4")
    image = board.top / "image"
    _run("truncate", "-s", size, str(image))
    _run("mkfs.ext4", "-q", "-m", "0", *options, str(image))
    board.statvfs = os.statvfs
    with _mounted(board, "-o", "loop", str(image)):
        os.chown(board.results, 65534, -1)
        yield Path(f"/sys/dev/block/{_line_of(board.results).split()[2]}").resolve().name


@contextmanager
def _mounted(board: Board, *words: str) -> Iterator[None]:
    if os.geteuid() != 0:
        raise CannotPlantError("to mount takes root")
    try:
        _run("mount", *words, str(board.results))
    except subprocess.CalledProcessError as error:
        raise CannotPlantError(f"nothing can be mounted here ({error.stderr.strip()})") from error
    try:
        board.results.chmod(0o777)
        line = _line_of(board.results)
        sys_folder = Path(f"/sys/dev/block/{line.split()[2]}")
        board.mounted(line, sys_folder.resolve() if sys_folder.exists() else None)
        ext4 = Path("/sys/fs/ext4") / sys_folder.resolve().name
        if ext4.exists():
            (board.root / "sys/fs/ext4" / ext4.name).symlink_to(ext4)
        yield
    finally:
        _run("umount", "-l", str(board.results))


def _line_of(folder: Path) -> str:
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    return next(line for line in lines if line.split()[4] == str(folder))


def _run(*words: str) -> None:
    path = f"/usr/sbin:/sbin:{os.environ['PATH']}"
    subprocess.run(words, check=True, capture_output=True, text=True, env={**os.environ, "PATH": path})
