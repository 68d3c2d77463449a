"""The Debian package on a machine of its own: from nothing to a finding, upgrade, removal.

    python -m tests.system.package                                          # amd64, Debian 12
    python -m tests.system.package --architecture arm64 --release trixie    # as a Raspberry Pi 4, emulated

It needs root, mmdebstrap, the network once, and two minutes for each package that is built; for another architecture
than this machine's also qemu-user-static, which the kernel must know of (binfmt_misc, flag F).
"""

import argparse
import hashlib
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.system.device import RESULTS, ROOT, SAMPLES, Device
from tools.boot_systemd import booted
from tools.deb.__main__ import make, project_version, source_date
from tools.deb.wheels import CannotBuildError
from tools.debian import MACHINES, PYTHONS, UnavailableError
from tools.debian_root import make_untouched_root

EARLIER = "0.0.1"
"""A version of the same tree that counts as an earlier one."""
INCOMING = Path("/incoming")
CONFIGURATION = Path("/etc/edge-pneumo/config.toml")
HERE = next((name for name, machine in MACHINES.items() if machine == platform.machine()), "")

# These take more of the kernel than QEMU hands on to it; the sandbox as a whole is tried without QEMU, in
# test_booted_sandbox.py. The board's cpuinfo, because LiteRT chooses its kernels by it.
_EMULATED = """\
[Service]
PrivateNetwork=no
PrivateIPC=no
PrivateUsers=no
BindReadOnlyPaths=/var/cpuinfo:/proc/cpuinfo
"""
_CPU, _CPUINFO = "QEMU_CPU=cortex-a72", ROOT / "tests" / "arm64" / "raspberry-pi-4.cpuinfo"


@contextmanager
def untouched(release: str = "bookworm", architecture: str = HERE) -> Iterator[Device]:
    """A machine as it is after its own installation, with a user anna, and without any network.

    Raises:
        UnavailableError: It cannot be had here.
    """
    foreign = architecture != HERE
    root = make_untouched_root(release, architecture if foreign else "")
    with booted(root, *([_CPU] if foreign else [])) as machine:
        device = Device(machine)
        if foreign:
            drop_in = device.path("/etc/systemd/system/edge-pneumo.service.d/emulated.conf")
            drop_in.parent.mkdir()
            drop_in.write_text(_EMULATED)
            shutil.copyfile(_CPUINFO, device.path("/var/cpuinfo"))
            device.run("mount", "--bind", "/var/cpuinfo", "/proc/cpuinfo")
            device.run("systemctl", "set-environment", _CPU)
        device.run("useradd", "--create-home", "anna")
        yield device


def apt(device: Device, action: str, package: Path | str, *options: str) -> subprocess.CompletedProcess[str]:
    """What `sudo apt ACTION PACKAGE` does when anna says it.

    Args:
        device: Where.
        action: Such as ``install``.
        package: A file of this machine, or a name.
        options: More of apt's.
    """
    if isinstance(package, Path):
        inside = Path("/var/cache") / package.name
        shutil.copyfile(package, device.path(inside))
        package = str(inside)
    command = ("env", "SUDO_USER=anna", "DEBIAN_FRONTEND=noninteractive", "apt-get", action, "--yes", *options, package)
    return device.machine.run(*command, timeout=600)


def kept(device: Device) -> dict[str, str]:
    """Radiographs and findings by their paths, with what is in them; what a running watcher changes is left out."""
    files = [path for folder in (INCOMING, RESULTS) for path in device.path(folder).glob("[!.]*")]
    names = {path: str(path.relative_to(device.machine.root)) for path in files}
    return {
        name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path, name in names.items()
        if not path.name.startswith("journal.sqlite")
    }


def answered(device: Device) -> int:
    """How many answers the journal holds."""
    return len(device.run("edge-pneumo", "results", RESULTS, "--json").stdout.splitlines())


def story(earlier: Path, package: Path, release: str, architecture: str) -> None:
    """The life of an installation, told as it goes on."""
    begin = time.monotonic()
    with untouched(release, architecture) as device:
        print(f"{time.monotonic() - begin:5.1f} s  boot an untouched {release} for {architecture}")
        print(f"     {device.run('uname', '-m').stdout.strip()}, {device.run('python3', '--version').stdout.strip()}")
        with _told(f"sudo apt install ./{earlier.name} ({earlier.stat().st_size / 1e6:.1f} MB)"):
            said = apt(device, "install", earlier)
        _repeat(said)
        used = device.run("du", "-sm", "/usr/lib/edge-pneumo").stdout.split()[0]
        print(f"     {used} MB in /usr/lib/edge-pneumo")
        with _told("edge-pneumo verify"):
            verified = device.run("edge-pneumo", "verify", check=False)
        print(f"     {verified.stdout.splitlines()[-1]}")
        assert verified.returncode == 0, verified.stdout + verified.stderr
        if device.run("systemctl", "is-active", "systemd-journald", check=False).stdout.strip() != "active":
            _without_services(device)
            return
        with _told("a radiograph put into /incoming is answered"):
            device.put(SAMPLES[0], "first.png")
            print(f"     {device.finding('first.png')['label']}")
        device.wait(lambda: answered(device) == 1, "it is not in the journal")
        device.path(CONFIGURATION).write_text("threads = 2\n")
        before = kept(device)
        with _told(f"sudo apt install ./{package.name} ({package.stat().st_size / 1e6:.1f} MB)"):
            said = apt(device, "install", package)
        _repeat(said)
        print(f"     {device.run('edge-pneumo', '--version').stdout.strip()}")
        assert before.items() <= kept(device).items()
        assert device.path(CONFIGURATION).read_text() == "threads = 2\n"
        with _told("a second radiograph is answered, and the first one not again"):
            device.put(SAMPLES[1], "second.png")
            print(f"     {device.finding('second.png')['label']}")
        device.wait(lambda: answered(device) == 2, "there is not one answer for each radiograph")
        before = kept(device)
        with _told(f"sudo apt install --allow-downgrades ./{earlier.name}"):
            said = apt(device, "install", earlier, "--allow-downgrades")
        _repeat(said)
        print(f"     {device.run('edge-pneumo', '--version').stdout.strip()}, {device.show('ActiveState')}")
        assert before.items() <= kept(device).items()
        assert answered(device) == 2
        for action in ("remove", "purge"):
            before = kept(device)
            with _told(f"sudo apt {action} edge-pneumo"):
                said = apt(device, action, "edge-pneumo")
            _repeat(said)
            assert kept(device) == before
            assert not device.path("/usr/lib/edge-pneumo").exists()
            print(f"     kept: {', '.join(sorted(kept(device)))}")


def _without_services(device: Device) -> None:
    """All that can be tried where QEMU lacks what this systemd starts services by."""
    print("     this QEMU cannot run this systemd's services, its own ones neither")
    device.run("install", "-d", "/srv/in")
    device.put(SAMPLES[0], "first.png", "/srv/in")
    with _told("edge-pneumo watch /srv/in --once"):
        said = device.run("edge-pneumo", "watch", "/srv/in", "--once", "--results", "/srv/out").stdout
    print(f"     {said.splitlines()[-1]}")
    assert device.path("/srv/out/first.png.json").exists()
    with _told("sudo apt purge edge-pneumo"):
        apt(device, "purge", "edge-pneumo")
    assert device.path("/srv/out/first.png.json").exists()


def _repeat(said: subprocess.CompletedProcess[str]) -> None:
    """What the package's own scripts said, without apt's lines about itself."""
    for line in (said.stdout + said.stderr).splitlines():
        if line.startswith(("edge-pneumo:", "the service", "error:")):
            print(f"     {line}")


@contextmanager
def _told(what: str) -> Iterator[None]:
    begin = time.monotonic()
    yield
    print(f"{time.monotonic() - begin:5.1f} s  {what}", flush=True)


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.system.package")
    parser.add_argument("--architecture", choices=sorted(MACHINES), default=HERE)
    parser.add_argument("--release", choices=sorted(PYTHONS), default="bookworm")
    parser.add_argument("--uncompressed", action="store_true", help="build faster, install larger packages")
    chosen = parser.parse_args(arguments)
    try:
        with tempfile.TemporaryDirectory() as folder:
            compressed = not chosen.uncompressed
            versions = [EARLIER, project_version()]
            with _told(f"build {' and '.join(versions)} for {chosen.architecture}"):
                files = make(chosen.architecture, versions, Path(folder), source_date(), compressed=compressed)
            story(files[0], files[1], chosen.release, chosen.architecture)
    except (UnavailableError, CannotBuildError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
