"""What was said to ``service install``, and the settings file, make of the service."""

import grp
import os
from pathlib import Path
from typing import TYPE_CHECKING

from edge_runtime.camera.choice import Choice, parse
from edge_runtime.config import config
from edge_runtime.config.settings import AcceleratorChoice
from edge_runtime.service.devices import GROUPS, PINS_GROUP
from edge_runtime.service.unit import (
    DEFAULT_FOLDER,
    STATE,
    Choices,
    Program,
    Service,
    settings_of,
    this_program,
)

if TYPE_CHECKING:
    from edge_runtime.model.engines.edgetpu_devices import Bus

# Of the machine's memory at most, so that it stays within reach; and what the largest radiograph allowed takes.
_SHARE_OF_MEMORY, _MEBIBYTES = 0.75, 2048
LEAST_MEBIBYTES = 256
"""A limit below which a watcher may not live: see ``docs/boards.md``."""


def derive(choices: Choices, program: Program | None = None) -> Service:
    """What the choices and the settings file make of the service.

    Args:
        choices: What was said.
        program: What runs; ``None`` for this one.

    Raises:
        UsageError: The settings file cannot be used.
    """
    chosen = config.resolve(settings_of(choices), choices.config, {}).settings
    watch = chosen.watch
    camera = parse(chosen.camera.device) if chosen.camera.device else None
    folder = (watch.folder or DEFAULT_FOLDER).resolve()
    results = watch.results.resolve() if watch.results else None
    if results is not None and results.is_relative_to(STATE):
        results = None if results == STATE / "results" else results
    moves = watch.input == "move"
    edge_tpus = _edge_tpus(chosen.accelerator)
    pins = bool(chosen.gpio.led or chosen.gpio.button)
    return Service(
        program=program or this_program(),
        folder=folder,
        results=results,
        input=watch.input,
        config=choices.config,
        readable=tuple(path for path in (chosen.bundle, _video(camera)) if path is not None and path.is_absolute()),
        writable=tuple(path for path in (watch.done, watch.refused) if moves and path.is_absolute()),
        generates_code=chosen.engine not in (None, "litert"),
        camera=camera,
        camera_word=choices.camera,
        edge_tpus=edge_tpus,
        groups=tuple(
            group
            for group in (*map(GROUPS.__getitem__, edge_tpus), *((PINS_GROUP,) if pins else ()))
            if _is_group(group)
        ),
        pins=pins,
        memory=choices.memory or max(LEAST_MEBIBYTES, min(_MEBIBYTES, int(_SHARE_OF_MEMORY * _memory()))),
    )


def _edge_tpus(choice: AcceleratorChoice) -> tuple["Bus", ...]:
    """Where the service may need one: where one is plugged in now, or anywhere if it is to be missed."""
    from edge_runtime.model.engines.edgetpu_devices import find_devices  # it needs numpy

    if choice == "cpu":
        return ()
    if choice == "edgetpu":
        return ("pci", "usb")
    return tuple(dict.fromkeys(device.bus for device in find_devices()))


def _is_group(name: str) -> bool:
    try:
        grp.getgrnam(name)
    except KeyError:
        return False
    return True


def _video(camera: Choice | None) -> Path | None:
    return Path(camera.place) if camera is not None and camera.kind == "file" else None


def _memory() -> float:
    """Of this machine, in 2**20 bytes."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**20
