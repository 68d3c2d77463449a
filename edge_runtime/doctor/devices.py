"""What hangs on the machine: a camera, an Edge TPU, a lamp and a button. Nothing is opened."""

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

from edge_runtime.camera import choice
from edge_runtime.doctor.access import Use, use_of
from edge_runtime.doctor.machine import Machine
from edge_runtime.doctor.packages import load
from edge_runtime.doctor.subject import Subject
from edge_runtime.doctor.verdict import Verdict, fail, ok, skip, warn
from edge_runtime.errors import EdgePneumoError, UsageError

if TYPE_CHECKING:
    from edge_runtime.service.access import Account

_NO_SETTINGS: Final = skip("the settings are not known")
_PLUG: Final = "plug it in, in another socket or by another cable, and see 'lsusb'"
_GET_LIBRARY: Final = 'install it as docs/coral.md says, or set accelerator = "cpu"'
_MODELS: Final = (
    "import json, sys; sys.path.append({!r}); from edge_runtime.camera.devices import picamera; "
    "print(json.dumps(picamera.models()))"
)
_LOAD: Final = "import ctypes, sys; ctypes.CDLL(sys.argv[1])"


def camera(machine: Machine, subject: Subject) -> Verdict:
    """Is the configured one there, and may it be used?"""
    word = subject.value("camera.device")
    if word is None:
        return _NO_SETTINGS
    if not word:
        return ok("none is configured")
    try:
        found = choice.parse(word)
    except UsageError as error:
        cause, _, advice = choice.shown(str(error)).partition("; ")
        return fail(cause, advice or "'edge-pneumo config check' says more")
    if found.kind == "picamera2":
        return _on_its_port(machine, subject, found)
    if found.kind == "network":
        return ok(f"{found.name}, in the network: 'edge-pneumo watch' says whether it answers")
    if found.kind == "file":
        return ok("a video file")
    node = machine.path(found.place)
    if not node.exists():
        there = sorted(path.name for path in machine.path("/dev").glob("video[0-9]*"))
        others = f"; there are {', '.join(there)}" if there else ""
        return fail(f"there is no {found.name}{others}", f"{_PLUG}; 'edge-pneumo camera' lists those that are there")
    return _permitted(node, found.name, subject.account, "video")


def coral(machine: Machine, subject: Subject) -> Verdict:
    """Is there an Edge TPU where one is wanted, and its library?"""
    from edge_runtime.model.engines.edgetpu_devices import LIBRARY, LIBRARY_VARIABLE, find_devices  # it needs numpy

    wanted = subject.value("accelerator")
    if wanted is None:
        return _NO_SETTINGS
    devices = find_devices(machine.root)
    names = ", ".join(f"{device.name} ({_bus(device.bus)})" for device in devices)
    if wanted == "cpu":
        return ok(f"not used: {names}" if names else "none is wanted")
    blame = fail if wanted == "edgetpu" else warn
    if not devices:
        return blame("there is none", _PLUG) if wanted == "edgetpu" else ok("there is none")
    library = machine.environment.get(LIBRARY_VARIABLE) or LIBRARY
    said = machine.run(machine.python, "-c", _LOAD, library)
    if said.status != 0:
        last = (said.error.splitlines() or ["it crashed"])[-1].removeprefix("OSError: ")
        return blame(f"{names}, and its library does not load: {last}", _GET_LIBRARY)
    unused = [device for device in devices if device.node is None]
    if len(unused) == len(devices):
        return blame(f"{names}, without the kernel's module for it", "install gasket-dkms, and start the machine anew")
    for device in devices:
        if device.node is not None and device.node.exists():
            verdict = _permitted(
                device.node, device.name, subject.account, "plugdev" if device.bus == "usb" else "apex"
            )
            if verdict.status == "fail":
                return blame(verdict.found, verdict.advice or "")
    if not _is_compiled(machine, subject):
        return blame(
            f"{names}, and the model was not compiled for it", "compile it as docs/coral.md says, and install that"
        )
    slow = [device.name for device in devices if device.megabits is not None and device.megabits < 5000]
    if slow:
        return ok(f"{names}; {', '.join(slow)} on USB 2, a blue socket (USB 3) is faster")
    return ok(f"{names}; 'edge-pneumo verify --accelerator edgetpu' tries it")


def gpio(machine: Machine, subject: Subject) -> Verdict:
    """Are the lines there, and gpiozero, where a lamp or a button is configured?"""
    led, button = subject.value("gpio.led"), subject.value("gpio.button")
    if led is None or button is None:
        return _NO_SETTINGS
    if not led and not button:
        return ok("none is configured")
    words = " and ".join([f"LED {led}"] * bool(led) + [f"button {button}"] * bool(button))
    chips = sorted(machine.path("/dev").glob("gpiochip*"))
    if not chips:
        return fail(
            f"{words}, and this machine has no /dev/gpiochip", "set led and button to 0 in [gpio] of the settings"
        )
    said = load(machine, "gpiozero")
    if said is not None:
        return fail(
            f"{words}, and gpiozero does not load: {said}", "'pip install gpiozero lgpio' in edge-pneumo's environment"
        )
    return _permitted(chips[0], words, subject.account, "gpio")


def _on_its_port(machine: Machine, subject: Subject, found: choice.Choice) -> Verdict:
    said = load(machine, "picamera2")
    if said is not None:
        return fail(
            f"{found.name}, and picamera2 does not load: {said}",
            "'sudo apt install python3-picamera2', and an environment that sees the system's packages (docs/camera.md)",
        )
    said_models = machine.run(machine.python, "-c", _MODELS.format(str(Path(__file__).parents[2])))
    try:
        models = dict(json.loads((said_models.output.splitlines() or [""])[-1]))
    except ValueError:
        return skip(f"{found.name}: which cameras there are cannot be had from picamera2")
    if found.number not in models:
        others = f"; there are {', '.join(map(str, models.values()))}" if models else ""
        return fail(
            f"{found.name} is not found on a camera port{others}",
            "see 'rpicam-hello --list-cameras', and whether the ribbon cable sits right at both ends",
        )
    name = f"{found.name} ({models[found.number]})"
    nodes = sorted(machine.path("/dev").glob("media[0-9]*"))
    return _permitted(nodes[0], name, subject.account, "video") if nodes else ok(f"{name} is there")


def _permitted(node: Path, name: str, who: "Account | None", group: str) -> Verdict:
    use = use_of(node, os.R_OK | os.W_OK, who)
    if use is Use.UNKNOWN:
        return skip(f"{name}: whether the service's user may use it only root sees; run this with sudo")
    if use is Use.FORBIDDEN:
        user = who.name if who is not None else "$USER"
        return fail(
            f"{name} is there, and {'this user' if who is None else who.name} may not use it",
            f"'sudo usermod -aG {group} {user}', then log in anew or restart the service",
        )
    return ok(f"{name} is there")


def _is_compiled(machine: Machine, subject: Subject) -> bool:
    from edge_runtime.options import bundle_of

    if subject.configuration is None:
        return True
    try:
        return bundle_of(subject.configuration, machine.environment).compiled is not None
    except EdgePneumoError:
        return True  # what is wrong with the model is said there


def _bus(bus: str) -> str:
    return {"usb": "USB", "pci": "PCIe"}[bus]
