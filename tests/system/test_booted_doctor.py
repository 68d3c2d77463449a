"""``edge-pneumo doctor`` on a machine of its own: faults of the real service, planted one at a time."""

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import pytest

from tests.system.device import COMMAND, RESULTS, SAMPLES, UNIT, Device

SETTINGS = "/etc/edge-pneumo/config.toml"


def doctor(device: Device, *words: str) -> tuple[int, dict[str, dict[str, Any]]]:
    done = device.run(*words, COMMAND, "doctor", "--json", check=False)
    assert done.returncode in (0, 1), done.stderr
    return done.returncode, {check["name"]: check for check in json.loads(done.stdout)["checks"]}


@contextmanager
def stopped(device: Device) -> Iterator[None]:
    device.run("systemctl", "stop", UNIT)
    yield
    device.run("systemctl", "start", UNIT)


@contextmanager
def failing(device: Device) -> Iterator[None]:
    with device.with_settings("ExecStart=", "ExecStart=/nowhere", "RestartSec=100ms"):
        device.run("systemctl", "restart", "--no-block", UNIT)
        device.wait(lambda: int(device.show("NRestarts") or 0) > 1, "it was not started again")
        yield
        device.run("systemctl", "stop", UNIT)
        device.run("systemctl", "reset-failed", UNIT)  # it forgets how often it failed
    device.run("systemctl", "start", UNIT)


@contextmanager
def disabled(device: Device) -> Iterator[None]:
    device.run("systemctl", "disable", "--quiet", UNIT)
    yield
    device.run("systemctl", "enable", "--quiet", UNIT)


@contextmanager
def without_cpuinfo(device: Device) -> Iterator[None]:
    with device.with_settings("ProcSubset=pid"):
        yield


@contextmanager
def closed_folder(device: Device) -> Iterator[None]:
    device.run("chmod", "0700", "/incoming")
    device.run("chgrp", "root", "/incoming")
    yield
    device.run("chgrp", "edge-pneumo", "/incoming")
    device.run("chmod", "2775", "/incoming")


@contextmanager
def results_of_root(device: Device) -> Iterator[None]:
    device.run("chown", "root:root", RESULTS)
    yield
    device.run("chown", "edge-pneumo:edge-pneumo", RESULTS)


@contextmanager
def wrong_setting(device: Device) -> Iterator[None]:
    device.path(SETTINGS).write_text("threads = 0\n")
    yield
    device.path(SETTINGS).unlink()


Plant = Callable[[Device], AbstractContextManager[None]]


@pytest.fixture(scope="module")
def healthy(device: Device) -> dict[str, dict[str, Any]]:
    device.put(SAMPLES[0], "mueller-anna.png")
    device.finding("mueller-anna.png")
    return doctor(device)[1]


def test_nothing_fails_on_a_fresh_install(healthy: dict[str, dict[str, Any]]) -> None:
    assert [check for check in healthy.values() if check["status"] == "fail"] == []
    for name in (
        "service",
        "sandbox",
        "watcher",
        "model",
        "watched folder",
        "results folder",
        "disk writes",
        "journal",
    ):
        assert healthy[name]["status"] == "ok", healthy[name]


def test_no_radiograph_is_named(healthy: dict[str, dict[str, Any]]) -> None:
    assert "mueller" not in json.dumps(healthy)


@pytest.mark.parametrize(
    ("plant", "check", "status", "said"),
    [
        (stopped, "service", "fail", "does not run: inactive"),
        (failing, "service", "fail", "again and again"),
        (disabled, "service", "warn", "does not start with the machine"),
        (without_cpuinfo, "sandbox", "fail", "ProcSubset=pid"),
        (closed_folder, "watched folder", "fail", "may not read"),
        (results_of_root, "results folder", "fail", "may not read and change"),
        (wrong_setting, "settings", "fail", "threads"),
    ],
)
def test_a_fault_of_the_service_is_named(
    plant: Plant, check: str, status: str, said: str, device: Device, healthy: dict[str, dict[str, Any]]
) -> None:
    with plant(device):
        code, found = doctor(device)

    assert (found[check]["status"], code) == (status, int(status == "fail"))
    assert said in found[check]["found"]
    assert found[check]["advice"]
    # The watcher itself may have noticed, too, and what hangs on the fault cannot be looked at.
    others = {name: one for name, one in found.items() if name not in (check, "watcher") and one["status"] != "skip"}
    assert {name: one["status"] for name, one in others.items()} == {name: healthy[name]["status"] for name in others}


def test_somebody_who_is_not_root_is_told_what_cannot_be_seen(device: Device) -> None:
    nobody = ("setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups")

    code, found = doctor(device, *nobody)

    assert code == 0, [check for check in found.values() if check["status"] == "fail"]
    assert {found[name]["status"] for name in ("results folder", "disk writes", "journal")} == {"skip"}
