"""A board with nothing wrong: a Raspberry Pi 5 with the service, its files in a folder and its commands as scripts."""

import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from edge_runtime.doctor import subject
from edge_runtime.doctor.checks import examine
from edge_runtime.doctor.machine import Machine
from edge_runtime.doctor.verdict import Check
from tests.edge_runtime.journals import Filler

_NOBODY = 65534
_CORE = """processor	: {number}
BogoMIPS	: 108.00
Features	: fp asimd evtstrm aes pmull sha1 sha2 crc32 atomics fphp asimdhp cpuid asimdrdm lrcpc dcpop asimddp
CPU implementer	: 0x41
CPU part	: 0xd0b

"""
_FILES: Mapping[str, str] = {
    "etc/os-release": 'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nID=debian\nVERSION_ID="12"\n',
    "etc/rpi-issue": "Raspberry Pi reference 2024-11-19\n",
    "etc/group": "root:x:0:\n",
    "proc/cpuinfo": "".join(_CORE.format(number=number) for number in range(4)),
    "proc/device-tree/model": "Raspberry Pi 5 Model B Rev 1.0\0",
    "sys/firmware/devicetree/base/model": "Raspberry Pi 5 Model B Rev 1.0\0",
    "proc/meminfo": "MemTotal:        8245632 kB\nMemFree:         5200000 kB\nMemAvailable:    7340032 kB\n",
    "proc/swaps": "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n/var/swap   file\t\t524272\t\t0\t\t-2\n",
    "proc/self/cgroup": "0::/user.slice\n",
    "proc/self/mountinfo": "27 1 179:2 / / rw,noatime - ext4 /dev/mmcblk0p2 rw\n",
    "proc/sys/fs/inotify/max_user_watches": "65536\n",
    "proc/sys/fs/inotify/max_user_instances": "128\n",
    "sys/fs/cgroup/cgroup.controllers": "cpuset cpu io memory pids\n",
    "sys/fs/ext4/mmcblk0p2/errors_count": "0\n",
    "sys/class/thermal/thermal_zone0/type": "cpu-thermal\n",
    "sys/class/thermal/thermal_zone0/temp": "51200\n",
    "sys/devices/platform/mmc/block/mmcblk0/mmcblk0p2/partition": "2\n",
    "sys/devices/platform/mmc/block/mmcblk0/device/type": "SD\n",
    "sys/devices/system/cpu/cpu0/cpufreq/scaling_max_freq": "2400000\n",
    "sys/devices/system/cpu/cpu0/cpufreq/cpuinfo_max_freq": "2400000\n",
    "sys/class/rtc/rtc0/name": "rpi-rtc\n",
    "dev/gpiochip0": "",
}
# As systemctl(1) prints them.
_PROPERTIES: Mapping[str, str] = {
    "ActiveState": "active",
    "SubState": "running",
    "NRestarts": "0",
    "Result": "success",
    "UnitFileState": "enabled",
    "ProcSubset": "all",
    "PrivateDevices": "yes",
    "MemoryMax": "2147483648",
}
_SYSTEMCTL = """for word; do
    case $word in
        --value) bare=yes ;;
        --property=*) found=$(sed -n "s/^${word#--property=}=//p" "$(dirname "$0")/properties"); name=${word#--*=}
            test "$last" && echo "$last"; last=$name=$found ;;
    esac
done
if test "$bare"; then echo "$found"; else echo "$last"; fi
"""
_REPLYING = """known="{folder}/$(printf '%s|' "$@" | md5sum | cut -c1-32)"
if ! test -e "$known"; then
    "{python}" "$@" > "$known.new"
    echo $? > "$known.status"
    mv "$known.new" "$known"
fi
cat "$known"
exit "$(cat "$known.status")"
"""


class Board:
    """It is healthy as it is made; a fault is planted by changing what lies in it.

    Args:
        top: Where it is made.
        replies: A folder for what Python has said to whoever asked the same before; ``None`` to ask it always. That
            takes a second, and most faults are none of Python's.

    Attributes:
        top: All of it; everybody may look into it.
    """

    def __init__(self, top: Path, replies: Path | None = None) -> None:
        self.top, self.root = top, top / "root"
        self.incoming, self.results, self._commands = top / "incoming", top / "results", top / "bin"
        for folder in (self.root, self.incoming, self.results, self._commands):
            folder.mkdir()
        for name, text in _FILES.items():
            self.write(name, text)
        self._link("sys/dev/block/179:2", "../../devices/platform/mmc/block/mmcblk0/mmcblk0p2")
        user = _NOBODY if os.geteuid() == 0 else os.geteuid()
        self.write("etc/passwd", f"edge-pneumo:x:{user}:{user}::/var/lib/edge-pneumo:/usr/sbin/nologin\n")
        for folder in (self.incoming, self.results):
            os.chown(folder, user, -1)
        self.write("etc/systemd/system/edge-pneumo.service", self.unit())
        self.properties: dict[str, str] = dict(_PROPERTIES)
        self.command("systemctl", _SYSTEMCTL)
        self.command("timedatectl", "echo yes")
        self.command("vcgencmd", "echo throttled=0x0")
        self.command("uname", "echo aarch64")
        self.environment: dict[str, str] = {}
        self.python = Path(sys.executable) if replies is None else self._replying(replies)
        self.now: Callable[[], datetime] = lambda: datetime.now(UTC)
        # Of a card that is half full, whatever the disk beneath the tests is.
        self.statvfs: Callable[[Path], os.statvfs_result] = lambda _: statvfs(free=16 * 10**9)

    def unit(self, **more: str | Path) -> str:
        said = {"Folder": self.incoming, "Results": self.results, **more}
        return "[X-edge-pneumo]\n" + "".join(f"{key}={value}\n" for key, value in said.items())

    def write(self, name: str, text: str) -> Path:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def settings(self, text: str) -> None:
        self.write("etc/edge-pneumo/config.toml", text)

    def remove(self, name: str) -> None:
        path = self.root / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()

    def command(self, name: str, script: str) -> Path:
        path = self._commands / name
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        return path

    def answer(self) -> None:
        """As if a watcher had answered for a radiograph."""
        filler = Filler(self.results)
        filler.answer()
        filler.journal.close()

    def mounted(self, line: str, sys: Path | None = None) -> None:
        """One more mount, as in ``/proc/self/mountinfo``; and where its device shows in the real ``/sys``."""
        mountinfo = self.root / "proc/self/mountinfo"
        mountinfo.write_text(f"{mountinfo.read_text()}{line}\n")
        if sys is not None:
            self._link(f"sys/dev/block/{line.split()[2]}", str(sys))

    def examine(self) -> dict[str, Check]:
        machine = self.ready()
        return {check.name: check for check in examine(machine, subject.find(machine))}

    def ready(self) -> Machine:
        """What the checks are given."""
        properties = "".join(f"{key}={value}\n" for key, value in self.properties.items())
        (self._commands / "properties").write_text(properties)
        kept = ("EDGE_PNEUMO_MODELS", "LD_LIBRARY_PATH", "HOME")
        environment = {name: os.environ[name] for name in kept if name in os.environ}
        environment |= self.environment | {"PATH": f"{self._commands}:/usr/bin:/bin", "OMP_NUM_THREADS": "1"}
        return Machine(self.root, environment, self.python, self.now, self.statvfs)

    def _replying(self, folder: Path) -> Path:
        return self.command("python", _REPLYING.format(folder=folder, python=sys.executable))

    def _link(self, name: str, target: str) -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.symlink_to(target)


def statvfs(*, free: int = 16 * 10**9, size: int = 32 * 10**9, inodes: int = 10**6, flag: int = 0) -> os.statvfs_result:
    block = 4096
    fields: tuple[Any, ...] = (block, block, size // block, free // block, free // block, inodes * 2, inodes, inodes)
    return os.statvfs_result((*fields, flag, 255))


@contextmanager
def healthy_board(replies: Path | None = None) -> Iterator[Board]:
    top = Path(tempfile.mkdtemp(prefix="edge-pneumo-board-"))
    top.chmod(0o755)  # another user looks into it, too
    try:
        yield Board(top, replies)
    finally:
        for path in (top, *top.rglob("*")):
            if path.is_dir() and not path.is_symlink():
                path.chmod(0o755)
        shutil.rmtree(top)
