"""Memory: is there enough, are limits enforced, and does it swap onto a card?"""

from pathlib import Path
from typing import Final

from edge_runtime.doctor.machine import Machine
from edge_runtime.doctor.mounts import is_card
from edge_runtime.doctor.subject import UNIT, Subject
from edge_runtime.doctor.verdict import Verdict, fail, ok, skip, warn

_MEBIBYTE: Final = 1 << 20
# What a watcher takes with the small model, and with large radiographs beside it.
_LEAST: Final = 256 * _MEBIBYTE
_LEAST_AVAILABLE: Final = 64 * _MEBIBYTE
_TRIFLE: Final = 16 * _MEBIBYTE
_UNLIMITED: Final = 1 << 60  # version 1 of the control groups says so by a very large number


def memory(machine: Machine, subject: Subject) -> Verdict:
    """Is there enough of it, and is it free?"""
    found = _meminfo(machine)
    total, free = found.get("MemTotal"), found.get("MemAvailable")
    if total is None or free is None:
        return skip("/proc/meminfo does not say")
    words = f"{_words(free)} of {_words(total)} available"
    limit = None if subject.is_service else _limit(machine)
    if limit is not None and limit < total:
        words += f", limited to {_words(limit)}"
    if min(total, limit or total) < _LEAST:
        return fail(words, f"a watcher takes {_words(_LEAST)}; raise the limit, or use a machine with more memory")
    if free < _LEAST_AVAILABLE:
        return warn(
            words, "end other programs ('ps aux --sort=-rss | head' says which take it), or start the machine anew"
        )
    return ok(words)


def available(machine: Machine) -> int | None:
    """What a further program may take, in bytes; ``None`` where that is not known."""
    return _meminfo(machine).get("MemAvailable")


def memory_limit(machine: Machine, subject: Subject) -> Verdict:
    """Is the service's limit enforced? Raspberry Pi OS leaves the memory controller out unless it is told otherwise."""
    if not subject.is_service:
        return skip("there is no service")
    said = machine.run("systemctl", "show", "--property=MemoryMax", "--value", UNIT)
    limit = int(said.output) if said.output.isdecimal() else None
    if limit is None:
        return ok("none is set") if said.output == "infinity" else skip(said.error or "systemctl does not say")
    controllers = machine.text("/sys/fs/cgroup/cgroup.controllers")
    if controllers is None:
        return skip(f"{_words(limit)}; this machine has the control groups of version 1, which are not looked at")
    if "memory" not in controllers.split():
        return warn(
            f"{_words(limit)} is set and not enforced: the kernel was started without its memory controller",
            "write cgroup_enable=memory at the end of the kernel's line (Raspberry Pi: /boot/firmware/cmdline.txt), "
            "and start the machine anew",
        )
    if limit < _LEAST:
        return fail(_words(limit), "a watcher takes 256 MB; 'sudo edge-pneumo service install --memory 256', or more")
    return ok(f"{_words(limit)}, enforced")


def swap(machine: Machine, _subject: Subject) -> Verdict:
    """Does the machine swap onto a card? That is slow, and wears it out."""
    text = machine.text("/proc/swaps")
    if text is None:
        return skip("/proc/swaps cannot be read")
    areas = [line.split() for line in text.splitlines()[1:] if len(line.split()) >= 4]
    if not areas:
        return ok("none")
    on_card = [int(used) << 10 for name, kind, _size, used, *_ in areas if is_card(machine, Path(name), kind == "file")]
    used = sum(on_card)
    if used > _TRIFLE:
        return warn(
            f"{_words(used)} of memory have been swapped onto the card, which is slow and wears it out",
            "end other programs, or use a machine with more memory; 'zram-tools' swaps into compressed memory instead",
        )
    if on_card:
        return ok("on the card, and not in use" if used == 0 else f"on the card, {_words(used)} in use")
    return ok("in memory (zram)" if all("zram" in area[0] for area in areas) else "not on a card")


def _meminfo(machine: Machine) -> dict[str, int]:
    """In bytes."""
    lines = (line.partition(":") for line in (machine.text("/proc/meminfo") or "").splitlines())
    return {
        key: int(value.split()[0]) << 10
        for key, _, value in lines
        if value.split()[:1] and value.split()[0].isdecimal()
    }


def _limit(machine: Machine) -> int | None:
    """The least limit of the control groups that this process is in; see cgroups(7)."""
    found = []
    for line in (machine.text("/proc/self/cgroup") or "").splitlines():
        _, kinds, name = line.split(":", 2)
        if kinds == "":
            base, file = Path("/sys/fs/cgroup"), "memory.max"
        elif "memory" in kinds.split(","):
            base, file = Path("/sys/fs/cgroup/memory"), "memory.limit_in_bytes"
        else:
            continue
        group = base / name.strip("/")
        for folder in (group, *group.parents):
            if not folder.is_relative_to(base):
                break
            said = machine.text(folder / file) or ""
            if said.isdecimal() and int(said) < _UNLIMITED:
                found.append(int(said))
    return min(found, default=None)


def _words(size: int) -> str:
    return f"{size / 2**30:.1f} GB" if size >= 1 << 30 else f"{size / _MEBIBYTE:.0f} MB"
