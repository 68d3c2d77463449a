"""A machine of its own with the service on it: a booted root, in which the wheel of this checkout is installed."""

import json
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tools.boot_systemd import Machine, booted
from tools.debian import ENVIRONMENT
from tools.environment import PIP

ROOT = Path(__file__).parents[2]
HOOKS = Path(__file__).with_name("hooks")
SAMPLES = sorted((ROOT / "samples").glob("*.png"))
UNIT = "edge-pneumo.service"
RESULTS = Path("/var/lib/edge-pneumo/results")
PYTHON = ENVIRONMENT / "bin" / "python"
COMMAND = ENVIRONMENT / "bin" / "edge-pneumo"
DEADLINE = 60.0


@dataclass(frozen=True)
class Device:
    """What the tests do with the machine."""

    machine: Machine

    def run(self, *words: str | Path, check: bool = True) -> subprocess.CompletedProcess[str]:
        return self.machine.run(*words, check=check)

    def service(self, *words: str | Path, check: bool = True) -> subprocess.CompletedProcess[str]:
        return self.run(COMMAND, "service", *words, check=check)

    def path(self, inside: str | Path) -> Path:
        """As seen from outside."""
        return self.machine.root / Path(inside).relative_to("/")

    def put(self, sample: Path, name: str, folder: str = "/incoming") -> None:
        shutil.copyfile(sample, self.path(folder) / name)

    def finding(self, name: str, results: Path = RESULTS) -> dict[str, Any]:
        """The finding of a file, when it is there."""
        path = self.path(results) / f"{name}.json"
        self.wait(path.exists, f"no finding {path.name}")
        found: dict[str, Any] = json.loads(path.read_text())
        return found

    def kill(self, pid: str, number: signal.Signals) -> None:
        """Send a signal, to a process as the machine numbers it."""
        self.run("sh", "-c", f"kill -{number.value} {pid}")

    def show(self, name: str, unit: str = UNIT) -> str:
        """A property of the unit."""
        return self.run("systemctl", "show", "--property", name, "--value", unit).stdout.strip()

    def journal(self, unit: str = UNIT) -> str:
        self.run("journalctl", "--sync")
        return self.run("journalctl", "--unit", unit, "--no-pager", "--output=cat").stdout

    def wait(self, condition: Any, otherwise: str) -> None:
        end = time.monotonic() + DEADLINE
        while not condition():
            assert time.monotonic() < end, f"{otherwise}\n{self.journal()[-3000:]}"
            time.sleep(0.05)

    @contextmanager
    def with_settings(self, *lines: str) -> Iterator[None]:
        """Lines of ``[Service]`` on top of the unit's, as `systemctl edit` adds them; they hold from the next start."""
        drop_in = self.path(f"/run/systemd/system/{UNIT}.d/test.conf")
        drop_in.parent.mkdir(parents=True, exist_ok=True)
        drop_in.write_text("\n".join(["[Service]", *lines, ""]))
        self.run("systemctl", "daemon-reload")
        try:
            yield
        finally:
            drop_in.unlink()
            self.run("systemctl", "daemon-reload")

    def in_the_sandbox(self, script: str, *words: str, outside: bool = False) -> dict[str, Any]:
        """What a script in ``hooks/`` prints as JSON, run once by a unit that is the service's but for its command.

        Args:
            script: Its name.
            words: Its arguments.
            outside: Run it without any sandbox, as the same user, instead.
        """
        command = f"{PYTHON} -I {self.hook(script)} {' '.join(words)}"
        if outside:
            lines = ["[Service]", "User=edge-pneumo", "Group=edge-pneumo"]
        else:
            away = ("ExecStart=", "ExecReload=", "Type=", "Restart", "WatchdogSec=", "NotifyAccess=")
            unit = self.path(f"/etc/systemd/system/{UNIT}").read_text().partition("[Install]")[0]
            lines = [line for line in unit.splitlines() if not line.startswith(away)]
        lines += ["Type=oneshot", f"ExecStart={command}", "StandardOutput=truncate:/run/probe.json", ""]
        self.path("/run/systemd/system/probe.service").write_text("\n".join(lines))
        self.run("systemctl", "daemon-reload")
        started = self.run("systemctl", "start", "probe", check=False)
        assert started.returncode == 0, self.journal("probe")
        found: dict[str, Any] = json.loads(self.path("/run/probe.json").read_text())
        return found

    def hook(self, script: str) -> Path:
        """Where a script from ``hooks/`` lies in it, readable to the service."""
        place = ENVIRONMENT / "hooks" / script
        self.path(place).parent.mkdir(exist_ok=True)
        shutil.copyfile(HOOKS / script, self.path(place))
        return place


def build_wheel(folder: Path) -> Path:
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    return next(folder.glob("*.whl"))


@contextmanager
def switched_on(root: Path, wheel: Path) -> Iterator[Device]:
    """A machine with the wheel installed, and no service yet."""
    with booted(root) as machine:
        device = Device(machine)
        pip = PIP
        for file in (wheel, pip):
            shutil.copyfile(file, device.path("/tmp") / file.name)
        device.run(PYTHON, f"/tmp/{pip.name}/pip", "install", "--no-index", "--no-deps", f"/tmp/{wheel.name}")
        yield device
