"""The service under a systemd of its own: readiness, the watchdog, restarts, and answers throughout."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

from tests.system.device import PYTHON, SAMPLES, UNIT, Device

STATE = Path("/var/lib/edge-pneumo")
# Short, so that the tests are; the unit's own is a minute.
WATCHDOG = ("WatchdogSec=5", "TimeoutAbortSec=1", "RestartSec=100ms")


@contextmanager
def obeying(device: Device, *settings: str) -> Iterator[None]:
    """The service, stopped, with a model that obeys the files that hooks/obey.py names."""
    command = f"{PYTHON} -I -X faulthandler {device.hook('obey.py')} watch /incoming"
    device.run("systemctl", "stop", UNIT)
    try:
        with device.with_settings("ExecStart=", f"ExecStart={command}", *settings):
            yield
            device.run("systemctl", "stop", UNIT)
    finally:
        for name in ("wait", "hang", "differ"):
            device.path(STATE / name).unlink(missing_ok=True)
        device.run("systemctl", "restart", UNIT)


def test_dropped_radiograph_is_answered(device: Device) -> None:
    device.put(SAMPLES[0], "dropped.png")

    finding = device.finding("dropped.png")

    assert finding["status"] == "classified"
    assert device.path("/incoming/dropped.png").read_bytes() == SAMPLES[0].read_bytes()


def test_findings_are_for_the_group_alone(device: Device) -> None:
    device.put(SAMPLES[0], "private.png")
    device.finding("private.png")

    file = device.run("stat", "--format=%U %G %a", "/var/lib/edge-pneumo/results/private.png.json").stdout
    folder = device.run("stat", "--format=%U %G %a", "/var/lib/edge-pneumo").stdout

    assert (file, folder) == ("edge-pneumo edge-pneumo 640\n", "edge-pneumo edge-pneumo 750\n")


def test_ready_only_when_the_golden_vectors_have_been_reproduced(device: Device) -> None:
    with obeying(device):
        device.path(STATE / "wait").touch()
        device.run("systemctl", "start", "--no-block", UNIT)
        device.wait(lambda: device.show("MainPID") != "0", "it was not started")
        # It stays there for as long as the model has not answered, however long that is.
        device.run("sleep", "1")
        before = device.show("ActiveState")
        device.path(STATE / "wait").unlink()
        device.wait(lambda: device.show("ActiveState") == "active", "it did not become ready")

    assert before == "activating"


def test_engine_that_computes_something_else_never_becomes_ready(device: Device) -> None:
    with obeying(device, "Restart=no"):
        device.path(STATE / "differ").touch()
        started = device.run("systemctl", "start", UNIT, check=False)
        state = device.show("ActiveState")

    assert (started.returncode, state) == (1, "failed")
    assert "does not compute what the model's converter computed" in device.journal()


def test_hung_inference_is_killed_and_everything_is_answered(device: Device) -> None:
    with obeying(device, *WATCHDOG):
        device.run("systemctl", "start", UNIT)
        first = device.show("MainPID")
        device.path(STATE / "hang").touch()
        for number, sample in enumerate(SAMPLES[:4]):
            device.put(sample, f"hang-{number}.png")
        findings = [device.finding(f"hang-{number}.png") for number in range(4)]
        second, restarts = device.show("MainPID"), device.show("NRestarts")

    assert {finding["status"] for finding in findings} == {"classified"}
    assert (second != first, restarts) == (True, "1")
    log = device.journal()
    assert "Watchdog timeout (limit 5s)!" in log
    # The traceback says where.
    assert "obey.py" in log.partition("Watchdog timeout")[2]


def test_process_that_stands_still_is_killed_and_started_anew(device: Device) -> None:
    with obeying(device, *WATCHDOG):
        device.run("systemctl", "start", UNIT)
        first = device.show("MainPID")
        device.kill(first, signal.SIGSTOP)
        device.wait(lambda: device.show("NRestarts") == "1", "it was not restarted")
        device.put(SAMPLES[0], "stopped.png")
        finding = device.finding("stopped.png")

    assert finding["status"] == "classified"


def test_crash_is_followed_by_a_restart(device: Device) -> None:
    with device.with_settings("RestartSec=100ms"):
        device.run("systemctl", "restart", UNIT)
        for number, name in enumerate(("KILL", "SEGV", "TERM"), 1):
            first = device.show("MainPID")
            device.kill(first, signal.Signals[f"SIG{name}"])
            device.wait(lambda first=first: device.show("MainPID") not in (first, "0"), "no restart")
            device.wait(lambda: device.show("ActiveState") == "active", "no restart")
            device.put(SAMPLES[number], f"after-{name}.png")
            assert device.finding(f"after-{name}.png")["status"] == "classified"

        assert device.show("NRestarts") == "3"


def test_cpu_that_is_hidden_is_refused_with_the_cause(device: Device) -> None:
    device.run("systemctl", "stop", UNIT)
    with device.with_settings("ProcSubset=pid", "Restart=no"):
        started = device.run("systemctl", "start", UNIT, check=False)
        said = device.journal()
    device.run("systemctl", "start", UNIT)

    assert started.returncode == 1
    assert "ProcSubset" in said


def test_reload_reads_the_settings_again(device: Device) -> None:
    first = device.show("MainPID")
    device.path("/etc/edge-pneumo/config.toml").write_text('operating_point = "screening"\n')
    device.run("systemctl", "reload", UNIT)

    numbers = count()

    def answered_anew() -> bool:
        name = f"reload-{next(numbers)}.png"
        device.put(SAMPLES[1], name)
        return bool(device.finding(name)["operating_point"] == "screening")

    device.wait(answered_anew, "the settings were not read")
    device.path("/etc/edge-pneumo/config.toml").unlink()

    assert device.show("MainPID") == first


def test_log_names_nobody(device: Device) -> None:
    device.put(SAMPLES[0], "mueller-anna.png")
    device.finding("mueller-anna.png")

    log = device.journal()

    assert "edge-pneumo watches /incoming" in log
    assert "mueller" not in log
