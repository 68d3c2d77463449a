"""Boot a small Debian with a systemd of its own, as a container, and run commands in it: for tests of the service.

    python -m tools.boot_systemd systemctl status       (as root)

It needs root, ``mmdebstrap`` (once, with network; about half a minute) and a kernel that lets root make namespaces
and overlays; nothing else, no container program. The root is made once and kept under ``~/.cache/edge-pneumo``; a boot
takes half a second, writes to memory alone and leaves nothing. What is inside sees no network and no process of this
machine.

Notify, watchdog, restarts and the sandbox of a unit are enforced as on a real machine. Memory limits are only where
the kernel gives the memory controller to cgroup v2.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tools.debian import UnavailableError
from tools.debian_root import make_root

_BOOT_SECONDS = 30.0

# In a mount namespace of its own. $1: the root, $2: an empty folder. The cgroup is named after this process.
_OUTER = r"""
set -eu
mount --make-rprivate /
mount -t tmpfs -o mode=755 tmpfs "$2"
cd "$2"
mkdir upper work merged cgroup
mount -t overlay -o "lowerdir=$1,upperdir=upper,workdir=work" overlay merged
mount -t cgroup2 none cgroup
mkdir "cgroup/edge-pneumo.$$"
echo $$ > "cgroup/edge-pneumo.$$/cgroup.procs"
exec unshare --mount --pid --fork --kill-child --uts --ipc --net --cgroup sh -euc "$3"
"""
# As process 1 of a process namespace; what a container manager does before it starts init.
_INNER = r"""
mount -t proc proc merged/proc
mount --bind merged/proc/sys merged/proc/sys
mount -o remount,bind,ro merged/proc/sys
mount -t sysfs -o ro sysfs merged/sys
mount -t cgroup2 none merged/sys/fs/cgroup
mount -t tmpfs -o mode=755 tmpfs merged/dev
mount -t tmpfs -o mode=755 tmpfs merged/run
for device in 'null 3' 'zero 5' 'full 7' 'random 8' 'urandom 9'; do
    mknod -m 666 "merged/dev/${device% *}" c 1 "${device#* }"
done
mknod -m 666 merged/dev/tty c 5 0
mkdir merged/dev/pts merged/dev/shm
mount -t devpts -o newinstance,ptmxmode=666,mode=620 devpts merged/dev/pts
mount -t tmpfs -o mode=1777 tmpfs merged/dev/shm
ln -s pts/ptmx merged/dev/ptmx
ln -s /proc/self/fd merged/dev/fd
ln -s null merged/dev/console
hostname edge
cd merged
pivot_root . .
umount -l .
exec env -i $VARIABLES container=edge PATH=/usr/sbin:/usr/bin:/sbin:/bin \
    setpriv --bounding-set -sys_time,-sys_module,-syslog chroot . /lib/systemd/systemd
"""


@dataclass(frozen=True)
class Machine:
    """A booted root.

    Attributes:
        leader: Its process 1, as this machine numbers it.
        variables: What its process 1 and its commands find in their environment, as ``NAME=value``.
    """

    leader: int
    variables: tuple[str, ...] = ()

    @property
    def root(self) -> Path:
        """Its file system, as seen from here."""
        return Path(f"/proc/{self.leader}/root")

    def run(self, *command: str | Path, check: bool = True, timeout: float = 60.0) -> subprocess.CompletedProcess[str]:
        """Run a command in it as root and return what it said.

        Raises:
            AssertionError: It ended with another status than 0, and ``check`` is set.
        """
        inside = ["nsenter", f"--target={self.leader}", "--all", "--", "env", "-i"]
        inside += ["PATH=/usr/sbin:/usr/bin", "LANG=C.UTF-8", *self.variables]
        result = subprocess.run(
            [*inside, *map(str, command)],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
        )
        if check and result.returncode:
            words = " ".join(str(word) for word in command)
            raise AssertionError(f"{words}: status {result.returncode}\n{result.stdout}{result.stderr}")
        return result


@contextmanager
def booted(root: Path, *variables: str) -> Iterator[Machine]:
    """Boot a root; what is written in it is lost at the end.

    A root of another architecture boots where the kernel hands its programs to QEMU (binfmt_misc, with the flag F). The
    variable ``QEMU_CPU`` then says which processor that is.

    Args:
        root: From ``debian_root``.
        variables: ``NAME=value``, without spaces, for its process 1 and its commands.

    Raises:
        UnavailableError: This kernel, or the container this runs in, does not allow it.
    """
    with tempfile.TemporaryDirectory(prefix="edge-pneumo-boot-") as work, tempfile.TemporaryFile() as said:
        process = subprocess.Popen(
            ["unshare", "--mount", "sh", "-c", _OUTER, "sh", str(root), work, _INNER],
            env={**os.environ, "VARIABLES": " ".join(variables)},
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
        )
        try:
            try:
                yield _wait_for_boot(process, variables)
            except UnavailableError as error:
                said.seek(0)
                words = " ".join(said.read().decode("utf-8", "replace").split())
                raise UnavailableError(f"{error} ({words})" if words else str(error)) from None
        finally:
            process.kill()  # and with it, by --kill-child, process 1 and all that it started
            process.wait()
            _remove_cgroup(process.pid)


def _wait_for_boot(process: subprocess.Popen[bytes], variables: tuple[str, ...]) -> Machine:
    end = time.monotonic() + _BOOT_SECONDS
    while time.monotonic() < end:
        if process.poll() is not None:
            raise UnavailableError("a container cannot be made here")
        leader = _only_child(process.pid)
        if leader is not None and _program(leader).startswith(("systemd", "qemu-")):
            machine = Machine(leader, variables)
            if machine.run("systemctl", "is-system-running", check=False).stdout.strip() in ("running", "degraded"):
                return machine
        time.sleep(0.1)
    raise UnavailableError(f"systemd did not boot within {_BOOT_SECONDS:.0f} s")


def _only_child(pid: int) -> int | None:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return int(children[0]) if len(children) == 1 else None


def _program(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/exe").readlink().name
    except OSError:  # it has ended
        return ""


def _remove_cgroup(pid: int) -> None:
    """The cgroups of what has just been killed; they empty a moment later."""
    script = r"""
    mount --make-rprivate /
    mount -t cgroup2 none "$1"
    for again in 1 2 3 4 5 6 7 8 9 10; do
        find "$1/edge-pneumo.$2" -depth -type d -exec rmdir {} + 2> /dev/null && exit
        sleep 0.1
    done
    """
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["unshare", "--mount", "sh", "-c", script, "sh", folder, str(pid)], check=False)


def main(command: Sequence[str]) -> int:
    try:
        with booted(make_root()) as machine:
            result = machine.run(*command, check=False)
    except UnavailableError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    sys.stdout.write(result.stdout)
    sys.stderr.write(result.stderr)
    return result.returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:] or ["systemctl", "status", "--no-pager"]))
