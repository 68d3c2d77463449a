"""A virtual machine with a kernel and a Debian of its own, of this processor's kind or an emulated one: for tests.

    python -m tools.virtual_machine                                     what is inside, and how long it takes
    python -m tools.virtual_machine --architecture arm64 uname -a       a command in it (as root)

In a test:

    image = make_image("arm64", packages=("v4l-utils",))                # made once, then found in ~/.cache/edge-pneumo
    with booted(image, memory=512, shares={"wheels": folder}) as machine:
        machine.run("dpkg", "-i", "/mnt/wheels/a.deb")                  # CompletedProcess[str], or AssertionError
        machine.run("modprobe", "vivid")
        machine.put(file, "/etc/edge-pneumo/config.toml")
        machine.get("/var/lib/edge-pneumo/results/a.png.json")          # bytes

It differs from ``boot_systemd`` by its own kernel: memory is what was said, limits of memory are enforced, modules such
as ``vivid`` and ``zram`` can be loaded, and a machine of another kind is emulated as a whole, as the processor that is
named, with its own ``/proc/cpuinfo``. systemd is process 1 of it. What is written in it is lost at the end.

- Making an image takes root, ``mmdebstrap`` and the network; for another kind of processor than this one's
  ``qemu-user-static`` registered with binfmt_misc too, for the packages' scripts. A minute for this kind, several for
  another one.
- Booting takes ``qemu-system-x86`` or ``qemu-system-arm``. A machine of this kind runs on this processor where a
  ``/dev/kvm`` boots a kernel, which is tried (``is_fast``). Else, and of another kind, it is emulated (TCG): its
  systemd is there after a minute, and its Python starts in seconds instead of tenths. Give every command a generous
  ``timeout``.
- Commands go through QEMU's guest agent, so that neither a network nor a login is needed. There is no network.
- ``shares`` are this machine's folders, read-only under ``/mnt``.

The image has ``systemd``, ``python3`` and, at ``/opt/edge-pneumo``, an environment with what the runtime needs from
PyPI, without edge-pneumo; ``lock=None`` leaves the environment out. No processor's time is like the real board's in
here; which instructions it has, what it computes and what memory it takes are.
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from tools.debian import UnavailableError
from tools.machine_image import HERE, Architecture, Image, make_image

__all__ = ["Image", "VirtualMachine", "booted", "is_fast", "make_image"]

_QEMU = {"amd64": "qemu-system-x86_64", "arm64": "qemu-system-aarch64"}
_CONSOLE = {"amd64": "ttyS0", "arm64": "ttyAMA0"}
# Without arch-capabilities: where this machine is virtual itself, its processor may not let it be set.
_KVM = ["-accel", "kvm", "-cpu", "host,-arch-capabilities" if HERE == "amd64" else "host"]
_KVM_SECONDS = 10.0
_BOOT_SECONDS = 900.0
_CHUNK = 1 << 20


@dataclass(frozen=True)
class VirtualMachine:
    """A booted one.

    Attributes:
        agent: The socket that its guest agent answers at.
        seconds: How long it took to boot.
    """

    agent: socket.socket
    seconds: float

    def run(self, *command: str | Path, check: bool = True, timeout: float = 600.0) -> subprocess.CompletedProcess[str]:
        """Run a command in it as root and return what it said.

        Raises:
            AssertionError: It ended with another status than 0, and ``check`` is set.
            TimeoutError: It has not ended in time; it goes on.
        """
        words = [str(word) for word in command]
        arguments = {
            "path": "/usr/bin/env",
            "arg": ["-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8", *words],
            "capture-output": True,
        }
        pid = self._ask("guest-exec", arguments)["pid"]
        end, pause = time.monotonic() + timeout, 0.02
        while not (status := self._ask("guest-exec-status", {"pid": pid}))["exited"]:
            if time.monotonic() > end:
                raise TimeoutError(f"{' '.join(words)} has not ended within {timeout:.0f} s")
            time.sleep(pause)
            pause = min(2.0 * pause, 0.5)
        out, errors = (base64.b64decode(status.get(name, "")).decode("utf-8", "replace") for name in _OUTPUTS)
        code = status.get("exitcode", -status.get("signal", 0))
        if check and code:
            raise AssertionError(f"{' '.join(words)}: status {code}\n{out}{errors}")
        return subprocess.CompletedProcess(words, code, out, errors)

    def put(self, file: Path | bytes, path: str | Path) -> None:
        """Write a file in it; many or large ones are better shared."""
        data = file if isinstance(file, bytes) else file.read_bytes()
        handle = self._ask("guest-file-open", {"path": str(path), "mode": "w"})
        for at in range(0, len(data), _CHUNK):
            piece = base64.b64encode(data[at : at + _CHUNK]).decode()
            self._ask("guest-file-write", {"handle": handle, "buf-b64": piece})
        self._ask("guest-file-close", {"handle": handle})

    def get(self, path: str | Path) -> bytes:
        """Read a file in it.

        Raises:
            FileNotFoundError: There is none.
        """
        handle = self._ask("guest-file-open", {"path": str(path), "mode": "r"})
        data = b""
        while True:
            read = self._ask("guest-file-read", {"handle": handle, "count": _CHUNK})
            data += base64.b64decode(read["buf-b64"])
            if read["eof"]:
                break
        self._ask("guest-file-close", {"handle": handle})
        return data

    def _ask(self, command: str, arguments: Mapping[str, Any]) -> Any:
        self.agent.sendall(json.dumps({"execute": command, "arguments": arguments}).encode() + b"\n")
        reply = _reply(self.agent)
        if "error" in reply:
            said = reply["error"]["desc"]
            raise FileNotFoundError(said) if "No such file" in said else AssertionError(f"{command}: {said}")
        return reply["return"]


_OUTPUTS = ("out-data", "err-data")


@contextmanager
def booted(
    image: Image,
    *,
    memory: int = 512,
    cpu: str | None = None,
    cpus: int = 2,
    shares: Mapping[str, Path] | None = None,
    options: Sequence[str] = (),
) -> Iterator[VirtualMachine]:
    """Boot an image; what is written in it is lost at the end.

    Args:
        image: From ``make_image``.
        memory: In 2**20 bytes.
        cpu: A name of QEMU's; ``None`` for this machine's own where that is possible, else ``cortex-a53`` (a Raspberry
            Pi 3 and Zero 2 W) or QEMU's best x86 one.
        cpus: How many.
        shares: Folders of this machine by the name that they get under ``/mnt``; read-only.
        options: More of QEMU's.

    Raises:
        UnavailableError: This machine does not allow it; a sentence.
    """
    qemu = shutil.which(_QEMU[image.architecture])
    if qemu is None:
        raise UnavailableError(f"there is no {_QEMU[image.architecture]} here (apt-get install qemu-system)")
    with tempfile.TemporaryDirectory(prefix="edge-pneumo-machine-") as work:
        console, agent = Path(work) / "console", Path(work) / "agent"
        # It ends with this process, however that ends.
        command = [
            "setpriv",
            "--pdeathsig",
            "KILL",
            qemu,
            "-nodefaults",
            "-display",
            "none",
            "-serial",
            f"file:{console}",
        ]
        command += ["-no-reboot", "-m", str(memory), "-smp", str(cpus), *_processor(image, cpu)]
        command += ["-kernel", str(image.folder / "vmlinuz"), "-initrd", str(image.folder / "initrd")]
        command += ["-append", f"console={_CONSOLE[image.architecture]} root=/dev/vda rw panic=-1"]
        command += ["-drive", f"file={image.folder / 'disk'},format=raw,if=virtio,snapshot=on,cache=unsafe"]
        command += ["-chardev", f"socket,path={agent},server=on,wait=off,id=agent", "-device", "virtio-serial"]
        command += ["-device", "virtserialport,chardev=agent,name=org.qemu.guest_agent.0"]
        command += ["-nic", "none", *options]
        for name, folder in (shares or {}).items():
            command += ["-virtfs", f"local,path={folder},mount_tag={name},security_model=none,readonly=on"]
        # Its temporary file grows with what is written in the machine.
        with (Path(work) / "said").open("w+b") as said:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=said, stderr=said)
            try:
                try:
                    machine = _wait_for_boot(process, agent)
                except UnavailableError as error:
                    said.seek(0)
                    words = said.read().decode("utf-8", "replace") + _last(console)
                    raise UnavailableError(f"{error} ({' '.join(words.split())[-500:]})") from None
                for name in shares or {}:
                    machine.run("mkdir", "-p", f"/mnt/{name}")
                    machine.run("mount", "-t", "9p", "-o", "ro,trans=virtio,msize=524288", name, f"/mnt/{name}")
                yield machine
            finally:
                process.kill()
                process.wait()


@cache
def is_fast(image: Image) -> bool:
    """Whether its processor is this machine's, and not an emulated one; tried, as not every ``/dev/kvm`` can do it."""
    if image.architecture != HERE or not os.access("/dev/kvm", os.R_OK | os.W_OK):
        return False
    # Without a disk it panics, and that ends it.
    command = [_QEMU[HERE], *_machine(HERE), *_KVM, "-nodefaults", "-display", "none"]
    command += ["-m", "256", "-no-reboot", "-nic", "none", "-kernel", str(image.folder / "vmlinuz")]
    try:
        result = subprocess.run([*command, "-append", "panic=-1"], capture_output=True, timeout=_KVM_SECONDS)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return result.returncode == 0


def _processor(image: Image, cpu: str | None) -> list[str]:
    if cpu is None and is_fast(image):
        return [*_machine(image.architecture), *_KVM]
    emulated = cpu or {"amd64": "max", "arm64": "cortex-a53"}[image.architecture]
    return [*_machine(image.architecture), "-accel", "tcg", "-cpu", emulated]


def _machine(architecture: Architecture) -> list[str]:
    return ["-machine", "virt"] if architecture == "arm64" else []


def _wait_for_boot(process: subprocess.Popen[bytes], path: Path) -> VirtualMachine:
    start = time.monotonic()
    agent = socket.socket(socket.AF_UNIX)
    while time.monotonic() < start + _BOOT_SECONDS:
        if process.poll() is not None:
            raise UnavailableError("a virtual machine ended while it booted")
        try:
            agent.settimeout(2.0)
            if path.exists() and _is_connected(agent, path) and _greet(agent):
                agent.settimeout(60.0)
                machine = VirtualMachine(agent, 0.0)
                machine.run("systemctl", "is-system-running", "--wait", check=False)
                return VirtualMachine(agent, time.monotonic() - start)
        except OSError:
            pass
        time.sleep(0.1)
    raise UnavailableError(f"a virtual machine did not boot within {_BOOT_SECONDS:.0f} s")


def _is_connected(agent: socket.socket, path: Path) -> bool:
    try:
        agent.getpeername()
    except OSError:
        agent.connect(str(path))
    return True


def _greet(agent: socket.socket) -> bool:
    """Whether the agent answers; what it says to earlier greetings is read away."""
    number = time.monotonic_ns()
    agent.sendall(json.dumps({"execute": "guest-sync", "arguments": {"id": number}}).encode() + b"\n")
    while True:
        reply = _reply(agent)
        if reply.get("return") == number:
            return True


def _reply(agent: socket.socket) -> dict[str, Any]:
    data = b""
    while not data.endswith(b"\n"):
        piece = agent.recv(1 << 20)
        if not piece:
            raise ConnectionError("the virtual machine has ended")
        data += piece
    found: dict[str, Any] = json.loads(data.strip(b"\xff\n").rpartition(b"\n")[2])
    return found


def _last(console: Path) -> str:
    try:
        return console.read_text(errors="replace")[-400:]
    except OSError:
        return ""


def main(words: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description="Run a command in a virtual machine.")
    parser.add_argument("--architecture", choices=("amd64", "arm64"), default=HERE)
    parser.add_argument("--release", default="bookworm")
    parser.add_argument("--memory", type=int, default=512, metavar="MIB")
    parser.add_argument("--cpu", metavar="NAME", help="of QEMU's")
    parser.add_argument("--package", action="append", default=[], help="of Debian, besides the usual ones")
    parser.add_argument("command", nargs=argparse.REMAINDER)
    said = parser.parse_args(words)
    try:
        image = make_image(said.architecture, release=said.release, packages=said.package)
        with booted(image, memory=said.memory, cpu=said.cpu) as machine:
            print(f"booted in {machine.seconds:.1f} s", file=sys.stderr)
            result = machine.run(*(said.command or ["sh", "-c", "uname -a; free -m; lscpu"]), check=False)
    except UnavailableError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    sys.stdout.write(result.stdout)
    sys.stderr.write(result.stderr)
    return result.returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
