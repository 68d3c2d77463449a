"""Where the findings lie: the file system, the room on it, and the health of the card beneath it."""

import contextlib
import errno
import os
import tempfile
import time
from pathlib import Path
from typing import Final

from edge_runtime.doctor.machine import Machine
from edge_runtime.doctor.mounts import disk_of, mount_at, nearest
from edge_runtime.doctor.subject import Subject
from edge_runtime.doctor.verdict import Verdict, fail, ok, skip, warn
from edge_runtime.sources.mounts import is_silent

_NO_FOLDER: Final = skip("no folder to watch is known")
_ELSEWHERE: Final = (
    "let the results go to the machine's own disk or card: 'results' in [watch] of the settings; a service is to be "
    "installed again then"
)
_IN_MEMORY: Final = ("tmpfs", "ramfs")
# No permissions, and nothing that would keep a power cut from spoiling what is being written.
_NO_JOURNAL: Final = ("vfat", "exfat", "msdos", "ntfs", "ntfs3", "fuseblk")
_MEGABYTE: Final = 10**6
_LEAST_FREE, _LITTLE_FREE = 100 * _MEGABYTE, 1000 * _MEGABYTE
_LEAST_INODES, _LITTLE_INODES = 500, 5000
_SLOW_SECONDS: Final = 1.0
_PROBES: Final = 3
# Of an eMMC: tenths of its life that are used up, and what is left of its spare blocks (JEDEC JESD84-B51).
_LIFE_OVER, _LIFE_LATE = 11, 9
_RESERVE: Final = {2: "four fifths of its spare blocks are used", 3: "its spare blocks are used up"}


def file_system(machine: Machine, subject: Subject) -> Verdict:
    """Is the results' file system one that keeps them?"""
    if subject.results is None:
        return _NO_FOLDER
    mount = mount_at(machine, subject.results)
    if mount is None:
        return skip("/proc/self/mountinfo does not say")
    if "ro" in mount.options:
        return fail(
            f"{mount.kind}, mounted read-only: no finding can be written",
            "the kernel does so after an error ('sudo dmesg' tells): check it with 'fsck' from another machine; else "
            f"say 'sudo mount -o remount,rw {os.fsdecode(mount.place)}'",
        )
    if mount.kind in _IN_MEMORY:
        return fail(f"{mount.kind}: in memory, findings are gone after a restart", _ELSEWHERE)
    if mount.kind == "overlay":
        return warn(
            "overlay: findings may be gone after a restart",
            "switch the overlay file system off in raspi-config, or give a container a volume for its results",
        )
    if mount.kind in _NO_JOURNAL:
        return fail(f"{mount.kind}: a power cut may spoil all that lies on it", _ELSEWHERE)
    if is_silent(mount.kind):
        return fail(f"{mount.kind}: the journal (SQLite) is not safe on a share", _ELSEWHERE)
    return ok(mount.kind)


def disk_space(machine: Machine, subject: Subject) -> Verdict:
    """Is there room for findings?"""
    if subject.results is None:
        return _NO_FOLDER
    place = nearest(subject.results)
    if place is None:
        return skip("the results are not yours to look at; run this with sudo")
    found = machine.statvfs(place)
    free, inodes = found.f_bavail * found.f_frsize, found.f_favail if found.f_files else None
    words = f"{_words(free)} of {_words(found.f_blocks * found.f_frsize)} free"
    make_room = "delete what is not needed, or let old findings go: days or megabytes in [retention] of the settings"
    if inodes is not None and inodes < _LITTLE_INODES:
        words = f"{words}, {inodes} files can be made"
    if free < _LEAST_FREE or (inodes is not None and inodes < _LEAST_INODES):
        return fail(words, make_room)
    if free < _LITTLE_FREE or (inodes is not None and inodes < _LITTLE_INODES):
        return warn(words, make_room)
    return ok(words)


def retention(machine: Machine, subject: Subject) -> Verdict:
    """Do old findings go before the disk is full?"""
    if subject.configuration is None or subject.results is None:
        return skip("the settings are not known")
    kept = subject.configuration.settings.retention
    limits = [f"{kept.days} days"] * bool(kept.days) + [f"{kept.megabytes} MB"] * bool(kept.megabytes)
    place = nearest(subject.results)
    if not kept.megabytes or place is None:
        return ok(f"findings are kept for {limits[0]}" if limits else "findings are kept for ever")
    found = machine.statvfs(place)
    size = found.f_blocks * found.f_frsize // _MEGABYTE
    words = f"findings are kept up to {' and '.join(reversed(limits))}"
    if kept.megabytes > size:
        return warn(
            f"{words}, and the disk holds {size} MB", "lower megabytes in [retention], else the disk fills first"
        )
    return ok(words)


def storage_health(machine: Machine, subject: Subject) -> Verdict:
    """Has the file system seen errors, and is the card worn out?"""
    mount = None if subject.results is None else mount_at(machine, subject.results)
    if mount is None:
        return _NO_FOLDER if subject.results is None else skip("/proc/self/mountinfo does not say")
    block = machine.path(f"/sys/dev/block/{mount.device}")
    errors = machine.text(f"/sys/fs/ext4/{block.resolve().name}/errors_count") if block.exists() else None
    if errors is not None and errors.isdecimal() and int(errors):
        return fail(
            f"ext4 has met {errors} error{'' if errors == '1' else 's'} on {block.resolve().name}",
            "save the findings ('edge-pneumo backup'), check it with 'fsck' from another machine, and replace it "
            "if errors come again",
        )
    disk = disk_of(machine, mount.device)
    if disk is None:
        return skip(f"{mount.kind} lies on no disk of this machine")
    worn = _wear(disk)
    if worn is not None:
        return worn
    name = disk.name
    said = "no error of the file system" if errors is not None else f"{mount.kind} counts no errors"
    return ok(f"{said} on {name}")


def disk_writes(_machine: Machine, subject: Subject) -> Verdict:
    """Does what is written reach the disk, and how soon? Writes a small file into the results folder and removes it."""
    if subject.results is None:
        return _NO_FOLDER
    try:
        if not subject.results.is_dir():
            return skip("the results folder is not there yet")
        seconds = min(_write(subject.results) for _ in range(_PROBES))
    except PermissionError:
        return skip("the results folder is not yours to write to; run this with sudo")
    except OSError as error:
        if error.errno in (errno.EROFS, errno.ENOSPC):  # lines of their own
            return skip(f"nothing can be written there ({error.strerror})")
        return fail(f"nothing can be written to the results folder ({error.strerror})", "see the lines about the disk")
    words = f"a finding is safe on the disk after {seconds * 1e3:.1f} ms"
    if seconds > _SLOW_SECONDS:
        return warn(words, "the card is slow or worn out, or the machine busy; try another card (class A1 or better)")
    return ok(words)


def _words(size: int) -> str:
    return f"{size / 1e9:.1f} GB" if size >= 1000 * _MEGABYTE else f"{size / _MEGABYTE:.0f} MB"


def _write(folder: Path) -> float:
    """Seconds until a file and its name are on the disk."""
    handle, name = tempfile.mkstemp(prefix=".doctor-", dir=folder)
    begin = time.perf_counter()
    try:
        os.write(handle, b"edge-pneumo doctor; can be deleted\n" * 64)
        os.fsync(handle)
        directory = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
        return time.perf_counter() - begin
    finally:
        os.close(handle)
        with contextlib.suppress(OSError):
            Path(name).unlink()


def _wear(disk: Path) -> Verdict | None:
    """Of an eMMC, which tells of it; most SD cards do not."""
    try:
        life = (disk / "device/life_time").read_text().split()
        reserve = int((disk / "device/pre_eol_info").read_text(), 16)
        used = max(int(word, 16) for word in life)
    except (OSError, ValueError):
        return None
    words = f"{disk.name}: {min(used, 10) * 10} % of its life is used"
    if reserve in _RESERVE:
        words = f"{words}, {_RESERVE[reserve]}"
    advice = "save the findings ('edge-pneumo backup') and replace it"
    if used >= _LIFE_OVER or reserve == max(_RESERVE):
        return fail(words, advice)
    return warn(words, advice) if used >= _LIFE_LATE or reserve in _RESERVE else ok(words)
