"""The service under a memory limit that is really enforced, in a virtual machine of 512 MB: ``docs/boards.md``.

    python -m tests.system.memory_limit                         emulated as a Raspberry Pi Zero 2 W: ten minutes
    python -m tests.system.memory_limit --originals DIR         with the full-size radiographs of a folder
    python -m tests.system.memory_limit --architecture amd64    this kind of machine
    python -m tests.system.memory_limit --here                  no virtual machine: ``watch --once`` on this kernel

1. The wheel of this checkout is installed, and the service with ``--memory 256``, as a person would.
2. It is started anew with nothing in the kernel's memory, so that all that it reads counts as its own.
3. Radiographs of 224 pixels and full-size ones arrive, all at once, and are answered with heat maps.
4. The kernel says what it took: ``memory.peak`` against ``memory.max``, and how often it had to kill.
5. A process that takes 300 MB more joins the service's control group: it must be killed, and the service answer on.

It needs what ``tools/virtual_machine.py`` does.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.material import synthetic_files
from tests.system.device import COMMAND, PYTHON, RESULTS, UNIT, build_wheel
from tests.system.memory_group import CannotLimitError, limited
from tools.debian import UnavailableError
from tools.environment import PIP, ROOT
from tools.virtual_machine import Image, VirtualMachine, booted, make_image

GROUP = Path("/sys/fs/cgroup/system.slice") / UNIT
FULL_SIZE = 2048  # rows; the largest original of the data set has 2,713
TIMEOUT = 1800.0
_HOG = "import os; print(os.getpid(), flush=True); held = bytearray(300 << 20); held[::4096] = b'x' * len(held[::4096])"


@dataclass(frozen=True)
class Memory:
    """What the kernel says of the service's control group, in bytes.

    Attributes:
        max: More than this it never gets.
        high: From here on it has to give back, and waits.
        swap_max: Of swap.
        peak: The most that it has had, with the files that the kernel keeps for it.
        anonymous: Of what it has now, what no file holds.
        file: The files' part.
        shared: Of these, what lies in memory alone, such as the picture that the decoder hands over.
        high_events: How often it came to ``high``.
        max_events: How often it came to ``max``, and the kernel had to find room.
        oom_kill: How many processes were killed for it.
    """

    max: int
    high: int
    swap_max: int
    peak: int
    anonymous: int
    file: int
    shared: int
    high_events: int
    max_events: int
    oom_kill: int


@dataclass(frozen=True)
class Result:
    """Of one run.

    Attributes:
        before: When the service was ready.
        small: When the radiographs of 224 pixels had been answered.
        full_size: When the full-size ones had been, too.
        after: When the process that takes too much had been killed.
        findings: Written.
        refused: Of these, why.
        heat_maps: Written.
        hog_status: How that process ended: 137 for killed.
        answers_on: Whether the service answered another radiograph then, and is the same process.
        resident: What the watcher and its decoder each hold in the end, in bytes.
        machine: Its memory as its kernel says it, in bytes.
    """

    before: Memory
    small: Memory
    full_size: Memory
    after: Memory
    findings: int
    refused: list[str]
    heat_maps: int
    hog_status: int
    answers_on: bool
    resident: list[int]
    machine: int


def memory(machine: VirtualMachine) -> Memory:
    """Of the service, now."""
    names = ("memory.max", "memory.high", "memory.swap.max", "memory.peak", "memory.stat", "memory.events")
    said = dict(zip(names, machine.run("sh", "-c", _READ, "sh", str(GROUP), *names).stdout.split("--\n"), strict=False))
    stat, events = (dict(line.split() for line in said[name].splitlines()) for name in names[4:])
    return Memory(
        *(sys.maxsize if said[name].strip() == "max" else int(said[name]) for name in names[:4]),
        *(int(stat[name]) for name in ("anon", "file", "shmem")),
        *(int(events[name]) for name in ("high", "max", "oom_kill")),
    )


_READ = 'cd "$1"; shift; for name; do cat "$name"; echo --; done'


def measure(machine: VirtualMachine, limit: int = 256, images: int = 100, full_size: int = 12) -> Result:
    """What is described above; the machine shares ``wheels`` and ``radiographs``.

    Args:
        machine: With nothing installed.
        limit: In 2**20 bytes.
        images: How many of 224 pixels are in ``small``.
        full_size: How many are in ``full``.
    """
    pip = f"/mnt/wheels/{PIP.name}/pip"
    install = f"{PYTHON} {pip} install --no-index --no-deps /mnt/wheels/edge_pneumo*.whl"
    machine.run("sh", "-c", install, timeout=TIMEOUT)
    _say("the wheel is installed")
    machine.run(COMMAND, "service", "install", "--memory", str(limit), timeout=TIMEOUT)
    # The kernel counts a library's pages to whom it read them for first; here that is to be the service.
    machine.run("systemctl", "stop", UNIT, timeout=TIMEOUT)
    machine.run("sh", "-c", "sync; echo 3 > /proc/sys/vm/drop_caches")
    try:
        machine.run("systemctl", "start", UNIT, timeout=TIMEOUT)
    except AssertionError:
        _say(machine.run("journalctl", "-u", UNIT, "-n", "40", "--no-pager", check=False).stdout)
        raise
    _say("the service runs")
    process, before = _main_process(machine), memory(machine)
    _say(str(before))
    _arrive(machine, "small")
    _wait_for(machine, images)
    small = memory(machine)
    _say(f"{images} radiographs are answered: {small}")
    _arrive(machine, "full")
    _wait_for(machine, images + full_size)
    all_answered = memory(machine)
    _say(f"{full_size} full-size ones, too: {all_answered}")
    resident = machine.run("sh", "-c", f"cat $(sed 's|.*|/proc/&/status|' {GROUP}/cgroup.procs) | grep VmRSS").stdout
    hog = machine.run(
        "sh", "-c", f"echo $$ > {GROUP}/cgroup.procs; exec {PYTHON} -c '{_HOG}'", check=False, timeout=TIMEOUT
    )
    after = memory(machine)
    _say("the process that takes too much has ended")
    machine.run("sh", "-c", "cp /mnt/radiographs/last/* /incoming")
    _wait_for(machine, images + full_size + 1)
    findings = [json.loads(line) for line in _results(machine, "cat *.json | tr -d '\\n' | sed 's/}{/}\\n{/g'")]
    total = machine.run("grep", "MemTotal", "/proc/meminfo").stdout.split()[1]
    return Result(
        before=before,
        small=small,
        full_size=all_answered,
        after=after,
        findings=len(findings),
        refused=[f"{one['source']}: {one['reason']}" for one in findings if one["status"] == "rejected"],
        heat_maps=len(_results(machine, "ls | grep heatmap")),
        hog_status=128 - hog.returncode if hog.returncode < 0 else hog.returncode,
        answers_on=_main_process(machine) == process,
        resident=sorted(int(line.split()[1]) * 1024 for line in resident.splitlines()),
        machine=int(total) * 1024,
    )


@dataclass(frozen=True)
class Here:
    """Of one run on this machine.

    Attributes:
        peak: The most that the group has had, in bytes.
        oom_kill: How many processes were killed for it.
        status: Of the watcher.
        said: Its last line.
    """

    peak: int
    oom_kill: int
    status: int
    said: str


@contextmanager
def shared(images: int, full_size: int, originals: Path | None) -> Iterator[dict[str, Path]]:
    """Folders to share: the wheel and pip, and the radiographs."""
    with tempfile.TemporaryDirectory(prefix="edge-pneumo-memory-") as name:
        wheels = Path(name) / "wheels"
        wheels.mkdir()
        build_wheel(wheels)
        shutil.copy(PIP, wheels)
        with radiographs(images, full_size, originals) as folder:
            (folder / "last").mkdir()
            (folder / "last" / "last.jpeg").write_bytes(next(synthetic_files(1, 225)))
            yield {"wheels": wheels, "radiographs": folder}


@contextmanager
def radiographs(images: int, full_size: int, originals: Path | None, rows: int = FULL_SIZE) -> Iterator[Path]:
    """A folder with those of 224 pixels in ``small``, and full-size ones, of ``originals`` or drawn, in ``full``."""
    with tempfile.TemporaryDirectory(prefix="edge-pneumo-memory-") as name:
        folder = Path(name) / "radiographs"
        for place, count, side in (("small", images, 224), ("full", full_size, rows)):
            (folder / place).mkdir(parents=True)
            if place == "full" and originals is not None:
                for path in sorted(originals.rglob("*.jpeg"), key=lambda path: -path.stat().st_size)[:count]:
                    shutil.copy(path, folder / place)
                continue
            for number, data in enumerate(synthetic_files(count, side)):
                (folder / place / f"{place}-{number:03}.jpeg").write_bytes(data)
        yield folder


def run(image: Image, *, limit: int, images: int, full_size: int, originals: Path | None = None) -> Result:
    """Boot the image with 512 MB, and measure in it."""
    with (
        shared(images, full_size, originals) as shares,
        booted(image, memory=512, cpus=4, shares=shares) as machine,
    ):
        _say(f"booted in {machine.seconds:.0f} s")
        return measure(machine, limit, images, full_size)


def here(limit: int, images: int, full_size: int, originals: Path | None, rows: int) -> Here:
    """``watch --once`` on this machine, as a member of a control group that is limited."""
    with (
        radiographs(images, full_size, originals, rows) as folder,
        limited(limit << 20) as group,
    ):
        words = ("watch", folder, "--results", folder.with_name("results"), "--once", "--bundle", "compact")
        environment = os.environ | {"PYTHONPATH": str(ROOT)}
        process = group.start(sys.executable, "-m", "edge_runtime", *words, environment=environment)
        said, _ = process.communicate()
        return Here(group.peak, group.kills, process.returncode, said.splitlines()[-1])


def _arrive(machine: VirtualMachine, folder: str) -> None:
    machine.run("sh", "-c", f"cp /mnt/radiographs/{folder}/* /incoming", timeout=TIMEOUT)


def _wait_for(machine: VirtualMachine, count: int) -> None:
    end = time.monotonic() + TIMEOUT
    while len(_results(machine, "ls | grep 'json$'")) < count:
        if time.monotonic() > end:
            log = machine.run("journalctl", "-u", UNIT, "-n", "30", "--no-pager", check=False).stdout
            raise AssertionError(f"not all answered\n{log}\n{memory(machine)}")
        time.sleep(1.0)


def _results(machine: VirtualMachine, command: str) -> list[str]:
    return machine.run("sh", "-c", f"cd {RESULTS} && {command}", check=False).stdout.splitlines()


def _main_process(machine: VirtualMachine) -> str:
    return machine.run("systemctl", "show", "--property", "MainPID", "--value", UNIT).stdout.strip()


def _say(sentence: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {sentence}", file=sys.stderr, flush=True)


def main(words: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description="Measure the service under a memory limit.")
    parser.add_argument("--architecture", choices=("amd64", "arm64"), default="arm64")
    parser.add_argument("--limit", type=int, default=256, metavar="MIB")
    parser.add_argument("--images", type=int, default=100, metavar="N", help="of 224 pixels")
    parser.add_argument("--full-size", type=int, default=12, metavar="N")
    parser.add_argument("--originals", type=Path, metavar="DIR", help="the largest of these are the full-size ones")
    parser.add_argument("--rows", type=int, default=FULL_SIZE, metavar="N", help="of drawn ones, with --here")
    parser.add_argument("--here", action="store_true", help="on this machine's own processor and kernel, as root")
    said = parser.parse_args(words)
    try:
        if said.here:
            found = here(said.limit, said.images, said.full_size, said.originals, said.rows)
            print(json.dumps(asdict(found), indent=1))
            return 0 if found.status == found.oom_kill == 0 else 1
        image = make_image(said.architecture)
        result = run(image, limit=said.limit, images=said.images, full_size=said.full_size, originals=said.originals)
    except (UnavailableError, CannotLimitError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(json.dumps(asdict(result), indent=1))
    held = result.full_size.oom_kill == 0 and result.full_size.peak <= result.full_size.max
    return 0 if held and result.after.oom_kill > 0 and result.answers_on else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
