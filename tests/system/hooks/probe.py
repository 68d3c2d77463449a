"""Try what the service must not be able to do; print for each attempt how it was refused, or ``done``."""

import ctypes
import json
import mmap
import os
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path

_MS_BIND = 4096


def main() -> None:
    print(json.dumps({name: _try(attempt) for name, attempt in ATTEMPTS.items()}))


def _try(attempt: Callable[[], object]) -> str:
    try:
        attempt()
    except Exception as error:
        return f"{type(error).__name__}: {getattr(error, 'strerror', None) or error}"
    return "done"


def _connect(family: int, address: object) -> None:
    with socket.socket(family, socket.SOCK_STREAM) as connection:
        connection.settimeout(2)
        connection.connect(address)  # type: ignore[arg-type]


def _call(name: str, *arguments: object) -> None:
    library = ctypes.CDLL(None, use_errno=True)
    if getattr(library, name)(*arguments) == -1:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def _other_processes() -> None:
    others = {path.name for path in Path("/proc").iterdir() if path.name.isdigit()} - {str(os.getpid())}
    if not others:
        raise PermissionError(1, "none to be seen")


# How it would be done from here; the first ones must succeed, so that a refusal of the rest means something.
ATTEMPTS: dict[str, Callable[[], object]] = {
    "read the folder": lambda: next(Path("/incoming").iterdir()).read_bytes(),
    "write a finding": lambda: Path("/var/lib/edge-pneumo/probe").write_text("x"),
    "write its state": lambda: Path("/run/edge-pneumo/probe").write_text("x"),
    "read the CPU's features": lambda: Path("/proc/cpuinfo").read_text().index("processor"),
    # Files.
    "write into the folder": lambda: Path("/incoming/probe").write_text("x"),
    "write beside its state": lambda: Path("/var/lib/probe").write_text("x"),
    "write into the root": lambda: Path("/probe").write_text("x"),
    "write into its program": lambda: Path("/opt/edge-pneumo/probe").write_text("x"),
    "write into the system": lambda: Path("/usr/lib/probe").write_text("x"),
    "write into a home": lambda: Path("/home/anna/probe").write_text("x"),
    "read a file for all": lambda: Path("/srv/open.txt").read_text(),
    "read a file of its own": lambda: Path("/srv/own.txt").read_text(),
    "read a person's file": lambda: Path("/home/anna/letter.txt").read_text(),
    "read a temporary file": lambda: Path("/tmp/shared.txt").read_text(),
    "read shared memory": lambda: Path("/dev/shm/shared.txt").read_text(),
    "read the users": lambda: Path("/etc/passwd").read_text(),
    "read the log": lambda: next(Path("/run/log/journal").iterdir()),
    # Processes and the kernel.
    "run a shell": lambda: subprocess.run(["/bin/sh", "-c", "true"], check=True),
    "see other processes": _other_processes,
    "change the kernel's settings": lambda: Path("/proc/sys/kernel/hostname").write_text("x"),
    "change the host's name": lambda: socket.sethostname("x"),
    "become root": lambda: os.setuid(0),
    "mount": lambda: _call("mount", b"/usr", b"/tmp", None, _MS_BIND, None),
    "make a namespace": lambda: _call("unshare", 0x10000000),
    "trace": lambda: _call("ptrace", 0, 0, 0, 0),
    "set the clock": lambda: _call("settimeofday", ctypes.byref(ctypes.create_string_buffer(16)), None),
    "write machine code": lambda: mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC),
    "make a device": lambda: os.mknod("/var/lib/edge-pneumo/device", 0o60644, os.makedev(7, 0)),
    "read the disk": lambda: os.open("/dev/vda", os.O_RDONLY),
    "make a file for root": lambda: Path("/var/lib/edge-pneumo/probe").chmod(0o4755),
    # Network.
    "connect to this machine": lambda: _connect(socket.AF_INET, ("127.0.0.1", 4711)),
    "connect by IPv6": lambda: _connect(socket.AF_INET6, ("::1", 4711)),
    "speak to the network's drivers": lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW),
    "speak Bluetooth": lambda: socket.socket(31, socket.SOCK_RAW, 1),
    "reach another service": lambda: _connect(socket.AF_UNIX, "/run/other.socket"),
}

if __name__ == "__main__":
    main()
