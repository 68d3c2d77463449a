"""All checks, by their names, in the order in which they are shown."""

from collections.abc import Callable, Iterator, Mapping
from typing import Final

from edge_runtime.doctor import (
    devices,
    folders,
    journal,
    memory,
    model,
    power,
    program,
    service,
    settings,
    storage,
    system,
)
from edge_runtime.doctor.machine import Machine
from edge_runtime.doctor.subject import Subject
from edge_runtime.doctor.verdict import Check, Verdict, skip

Examine = Callable[[Machine, Subject], Verdict]

CHECKS: Final[Mapping[str, Examine]] = {
    "operating system": system.operating_system,
    "board": system.board,
    "processor": system.processor,
    "memory": memory.memory,
    "memory limit": memory.memory_limit,
    "swap": memory.swap,
    "temperature": power.temperature,
    "power": power.power,
    "throttling": power.throttling,
    "clock": system.clock,
    "python": program.python,
    "numpy": program.numpy,
    "opencv": program.opencv,
    "engine": program.engine,
    "model": model.model,
    "settings": settings.settings,
    "watched folder": folders.watched_folder,
    "new files": folders.inotify,
    "results folder": folders.results_folder,
    "file system": storage.file_system,
    "disk space": storage.disk_space,
    "retention": storage.retention,
    "storage health": storage.storage_health,
    "disk writes": storage.disk_writes,
    "journal": journal.journal,
    "camera": devices.camera,
    "coral": devices.coral,
    "gpio": devices.gpio,
    "service": service.service,
    "sandbox": service.sandbox,
    "watcher": service.watcher,
}


def examine(machine: Machine, subject: Subject) -> Iterator[Check]:
    """What each check has come to, as soon as it has."""
    for name, check in CHECKS.items():
        try:
            verdict = check(machine, subject)
        except Exception as error:  # a machine that is out of order is no reason to leave the other checks out
            verdict = skip(f"this could not be looked at ({type(error).__name__}: {' '.join(str(error).split())})")
        yield Check(name, verdict.status, verdict.found, verdict.advice)
