"""The service and its watcher: does it run, has it failed, and does its sandbox let it do what it is to do?"""

from typing import Final

from edge_runtime.doctor.machine import Machine
from edge_runtime.doctor.subject import UNIT, Subject
from edge_runtime.doctor.verdict import Verdict, fail, ok, skip, warn
from edge_runtime.finding import printable
from edge_runtime.health import watcher as health

_LOG: Final = f"'journalctl -u {UNIT} -n 20' says why"
_INSTALL: Final = "'sudo edge-pneumo service install'"
_STATE: Final = "/run/edge-pneumo/state.json"


def service(machine: Machine, subject: Subject) -> Verdict:
    """Is the service installed, does it run, and has it run through?"""
    if not subject.is_service:
        return skip(f"another watcher is looked at, or the service is not installed ({_INSTALL})")
    if subject.account is None:
        return fail("its user is missing", f"{_INSTALL} makes it")
    found = _show(machine, "ActiveState", "SubState", "NRestarts", "Result", "UnitFileState")
    if isinstance(found, str):
        return skip(found)
    state, restarts = found["ActiveState"], int(found["NRestarts"] or 0)
    often = f", started anew {restarts} time{'' if restarts == 1 else 's'} after failures" if restarts else ""
    if found["SubState"] == "auto-restart" or (state == "activating" and restarts):
        return fail(f"it fails and is started again and again ({found['Result']}){often}", _LOG)
    if state not in ("active", "activating", "reloading"):
        how = f" ({found['Result']})" if found["Result"] not in ("", "success") else ""
        return fail(f"it does not run: {state}{how}", f"'sudo systemctl start {UNIT}'; {_LOG}")
    if found["UnitFileState"] != "enabled":
        return warn(f"{state}, and does not start with the machine", f"'sudo systemctl enable {UNIT}'")
    if restarts:
        return warn(f"{state}{often}", _LOG)
    return ok(f"{state}, starts with the machine")


def sandbox(machine: Machine, subject: Subject) -> Verdict:
    """Does the service see what it needs?"""
    if not subject.is_service:
        return skip("there is no service to look at")
    found = _show(machine, "ProcSubset", "PrivateDevices")
    if isinstance(found, str):
        return skip(found)
    if found["ProcSubset"] == "pid":
        return fail(
            "ProcSubset=pid hides /proc/cpuinfo, without which the engine is hundreds of times slower",
            f"take it out with 'sudo systemctl edit {UNIT}', or install the service again: {_INSTALL}",
        )
    hidden = _devices(machine, subject) if found["PrivateDevices"] == "yes" else {}
    if hidden:
        blame = fail if any(hidden.values()) else warn
        return blame(
            f"PrivateDevices=yes hides {', '.join(hidden)} from it",
            f"install the service again ({_INSTALL}), or let the device in with 'sudo systemctl edit {UNIT}'",
        )
    return ok("the service sees what it needs")


def watcher(machine: Machine, subject: Subject) -> Verdict:
    """How does the watcher stand? Its own sentences are left out, since they may name a file."""
    results = subject.results
    if results is None:
        return skip("no folder to watch is known")
    try:
        seen = health.look(results, machine.environment, service=machine.path(_STATE))
    except OSError:
        return skip("its state is not yours to read; run this with sudo")
    more = f"'edge-pneumo status {printable(results)}' says more"
    life = seen["life"]
    if life in ("dead", "failed"):
        return fail("it could not go on" if life == "failed" else "it was killed, or the power failed", more)
    if life not in ("alive", "elsewhere"):
        return skip("none runs")
    if seen["silent_since"] is not None:
        return fail("it hangs", more)
    if seen["paused"] is not None:
        return fail("it is paused: findings cannot be written", more)
    if seen["degraded"]:
        parts = ", ".join(sorted(trouble["part"] or "other" for trouble in seen["degraded"]))
        return warn(f"{seen['state']}, and held up by: {parts}", more)
    return ok(str(seen["state"]))


def _devices(machine: Machine, subject: Subject) -> dict[str, bool]:
    """What the service would use, and whether it cannot do without."""
    from edge_runtime.model.engines.edgetpu_devices import find_devices  # it needs numpy

    found = {}
    camera = subject.value("camera.device") or ""
    if camera.startswith(("picamera2", "/dev/")) or camera.isdecimal():
        found["the camera"] = True
    accelerator = subject.value("accelerator")
    if accelerator == "edgetpu" or (accelerator == "auto" and find_devices(machine.root)):
        found["the Edge TPU"] = accelerator == "edgetpu"
    if subject.value("gpio.led") or subject.value("gpio.button"):
        found["the GPIO lines"] = True
    return found


def _show(machine: Machine, *names: str) -> dict[str, str] | str:
    """Properties of the unit; or why they cannot be had."""
    said = machine.run("systemctl", "show", *(f"--property={name}" for name in names), UNIT)
    if said.status != 0:
        return said.error.splitlines()[0] if said.error else "systemctl does not answer"
    lines = (line.partition("=") for line in said.output.splitlines())
    return dict.fromkeys(names, "") | {key: value for key, mark, value in lines if mark}
