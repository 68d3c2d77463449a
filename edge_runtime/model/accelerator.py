"""Which accelerator answers in place of the CPU: an Edge TPU that computes what the converter computed, or none."""

import os
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from edge_runtime.config.settings import AcceleratorChoice
from edge_runtime.errors import EngineError
from edge_runtime.model.accelerated import AcceleratedEngine, Tell
from edge_runtime.model.bundle import Bundle
from edge_runtime.model.classifier import is_reproduced, verify_golden
from edge_runtime.model.engines.edgetpu_devices import Device, find_devices
from edge_runtime.model.engines.interface import Engine

if TYPE_CHECKING:
    from edge_runtime.health.health import Health
    from edge_runtime.model.engines.edgetpu import EdgeTpuEngine

Open = Callable[[Bundle, str], "EdgeTpuEngine"]


class TellHealth:
    """Has ``edge-pneumo status`` and the person who runs this know.

    Args:
        health: Of the watcher.
        note: Takes one sentence.
    """

    def __init__(self, health: "Health", note: Callable[[str], None]) -> None:
        self._health, self._note = health, note

    def lost(self, sentence: str) -> None:
        self._health.degrade(sentence)
        self._health.fail(sentence)
        self._note(sentence)

    def back(self, sentence: str) -> None:
        self._health.recover()
        self._note(sentence)


class TellWarning:
    """Tells what is lost, and nothing else.

    Args:
        warn: Takes one sentence.
    """

    def __init__(self, warn: Callable[[str], None]) -> None:
        self._warn = warn

    def lost(self, sentence: str) -> None:
        self._warn(sentence)

    def back(self, sentence: str) -> None:
        pass


def accelerate(
    cpu: Engine, bundle: Bundle, choice: AcceleratorChoice, tell: Tell, *, root: Path | None = None
) -> Engine:
    """The engine that is asked for; one with an accelerator leaves that alone until it is told to ``take`` it.

    Args:
        cpu: What answers else, and where the accelerator is lost.
        bundle: The model of both.
        choice: ``cpu`` for that alone; ``auto`` for an Edge TPU where this machine has one, else the CPU without a
            word; ``edgetpu`` to miss it where there is none, and to look for one again and again.
        tell: Told why an Edge TPU does not answer, and when it does.
        root: Where ``sys`` and ``dev`` lie; ``None`` for ``edgetpu_devices.ROOT``.
    """
    if choice == "cpu" or (choice == "auto" and not find_devices(root)):
        return cpu
    opens = partial(open_proven, bundle, root=root)
    return AcceleratedEngine(cpu, bundle, opens, tell, is_final=bundle.compiled is None)


def hand_over(old: Engine | None, new: Engine) -> None:
    """Have a new engine answer with the accelerator, which the old one gives up first: it can be open only once."""
    if old is new:
        return
    if old is not None:
        give_up(old)
    if isinstance(new, AcceleratedEngine):
        new.take()
    elif isinstance(old, AcceleratedEngine) and old.trouble is not None:
        old.tell.back("an accelerator is not wanted any more")


def give_up(engine: Engine) -> None:
    """Have an engine give its accelerator up for good, if it has one."""
    if isinstance(engine, AcceleratedEngine):
        engine.close()


def open_proven(
    bundle: Bundle,
    *,
    root: Path | None = None,
    open_device: Open | None = None,
    environment: Mapping[str, str] = os.environ,
) -> "EdgeTpuEngine":
    """The first of this machine's Edge TPUs that gives the bundle's golden vectors.

    Args:
        bundle: The model.
        root: Where ``sys`` and ``dev`` lie; ``None`` for ``edgetpu_devices.ROOT``.
        open_device: Opens the one of that name, or any where that is empty.
        environment: May name another library.

    Raises:
        BundleError: The model was not compiled for it.
        EngineError: None does; a reason for each.
    """
    if bundle.compiled is None or open_device is None:
        from edge_runtime.model.bundle import read_compiled
        from edge_runtime.model.engines.edgetpu import EdgeTpuEngine, library_name

        if bundle.compiled is None:
            read_compiled(bundle)  # which says so
        open_device = partial(EdgeTpuEngine, library=library_name(environment))
    reasons: list[str] = []
    found = find_devices(root)
    for device in found:
        reason = _hindrance(device)
        try:
            if reason is None:
                return _proven(open_device(bundle, device.name), bundle)
        except EngineError as error:
            reason = str(error)
        if reason not in reasons:
            reasons.append(reason)
    if found:
        raise EngineError("; ".join(reasons))
    try:
        return _proven(open_device(bundle, ""), bundle)  # the library may know of one that is not seen here
    except EngineError as error:
        raise EngineError(f"no Edge TPU is found in this machine ({error})") from error


def _proven(engine: "EdgeTpuEngine", bundle: Bundle) -> "EdgeTpuEngine":
    try:
        report = verify_golden(engine, bundle.golden)
        if not is_reproduced(report, engine):
            raise EngineError(
                f"{engine.name} does not compute what the model's converter computed (it differs by up to "
                f"{report.largest_difference} steps, {engine.tolerance} are allowed): compile the model anew, or try "
                "another Edge TPU"
            )
    except EngineError:
        engine.close()
        raise
    return engine


def _hindrance(device: Device) -> str | None:
    if device.node is None:
        return f"the Edge TPU {device.name} has no driver here; install one (docs/coral.md)"
    if not device.usable:
        return (
            f"this user may not use the Edge TPU {device.name} ({device.node}); see docs/coral.md, and install a "
            "service anew after it was plugged in"
        )
    return None
