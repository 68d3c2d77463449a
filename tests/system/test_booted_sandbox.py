"""What the service's sandbox lets through: tried from within, and without it, where most of it can be done."""

import pytest

from tests.system.device import SAMPLES, UNIT, Device

# What the service needs: were these refused, too, the refusals of the rest would mean nothing.
ALLOWED = {"read the folder", "write a finding", "write its state", "read the CPU's features"}
# What nothing but the sandbox keeps the service's user from.
ONLY_THE_SANDBOX = {
    "write into the folder",
    "read a file for all",
    "read a file of its own",
    "read a person's file",
    "read a temporary file",
    "read shared memory",
    "read the users",
    "run a shell",
    "see other processes",
    "make a namespace",
    "write machine code",
    "connect to this machine",
    "connect by IPv6",
    "speak to the network's drivers",
    "reach another service",
}


@pytest.fixture(scope="module")
def populated(device: Device) -> Device:
    """With other people's files, and others' services to speak to."""
    device.put(SAMPLES[0], "scan.png")
    device.run("mkdir", "/home/anna")
    for path in ("/srv/open.txt", "/srv/own.txt", "/home/anna/letter.txt", "/tmp/shared.txt", "/dev/shm/shared.txt"):
        device.path(path).write_text("nothing of yours")
    device.run("chown", "edge-pneumo", "/srv/own.txt")
    device.run("systemd-run", "--unit=listen", "--service-type=notify", "/usr/bin/python3", device.hook("listen.py"))
    return device


def test_service_is_refused_all_but_its_work(populated: Device) -> None:
    found = populated.in_the_sandbox("probe.py")

    assert {name for name, outcome in found.items() if outcome == "done"} == ALLOWED


def test_without_the_sandbox_most_of_it_can_be_done(populated: Device) -> None:
    found = populated.in_the_sandbox("probe.py", outside=True)

    assert {name for name, outcome in found.items() if outcome == "done"} >= ONLY_THE_SANDBOX


def test_sandbox_changes_no_answer(device: Device) -> None:
    inside, outside = (device.in_the_sandbox("speed.py", "compact", "8", outside=outside) for outside in (False, True))

    assert inside["digest"] == outside["digest"]
    assert inside["engine"] == outside["engine"]


def test_systemd_knows_every_setting_of_the_unit(device: Device) -> None:
    result = device.run("systemd-analyze", "verify", UNIT)

    assert (result.stdout, result.stderr) == ("", "")
