"""A real V4L2 device, from the kernel's ``vivid`` driver in a virtual machine: used, unplugged, gone and back again.

    EDGE_PNEUMO_MACHINES=1 python -m pytest tests/system/test_v4l2_camera.py

It takes minutes, more without KVM, so that it runs only where it is asked for.
"""

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tools.debian import UnavailableError
from tools.virtual_machine import VirtualMachine, booted, make_image

ROOT = Path(__file__).parents[2]
LOG = "/tmp/watch.log"
PROGRAM = "PYTHONPATH=/mnt/checkout PYTHONDONTWRITEBYTECODE=1 /opt/edge-pneumo/bin/python -m edge_runtime"
VIVID = ("modprobe", "vivid", "n_devs=1", "node_types=0x1")
SECONDS = 180.0


@pytest.fixture
def machine() -> Iterator[VirtualMachine]:
    if not os.environ.get("EDGE_PNEUMO_MACHINES"):
        pytest.skip("boots a virtual machine for minutes; set EDGE_PNEUMO_MACHINES=1")
    try:
        image = make_image(packages=("v4l-utils",))
        with booted(image, memory=1536, shares={"checkout": ROOT}) as machine:
            yield machine
    except UnavailableError as error:
        pytest.skip(str(error))


def shell(machine: VirtualMachine, script: str) -> str:
    return machine.run("sh", "-c", script).stdout


def log_until(machine: VirtualMachine, words: str) -> str:
    end = time.monotonic() + SECONDS
    while words not in (said := shell(machine, f"touch {LOG}; cat {LOG}")):
        assert time.monotonic() < end, said
        time.sleep(1.0)
    return said


def test_camera_is_used_unplugged_missed_and_taken_again(machine: VirtualMachine) -> None:
    machine.run(*VIVID)
    looked = shell(machine, f"cd /tmp && {PROGRAM} camera --output /tmp/look.jpg")
    picture = machine.get("/tmp/look.jpg")
    shell(machine, f"mkdir /tmp/films; echo '{PROGRAM} watch /tmp/films --camera 0 > {LOG} 2>&1' > /tmp/go")
    machine.run("systemd-run", "--unit=watch", "sh", "/tmp/go")
    log_until(machine, "not a medical device")
    shell(machine, "for i in $(seq 60); do test -e /tmp/films-results/preview.jpg && exit; sleep 1; done; false")

    machine.run("v4l2-ctl", "-d0", "-c", "disconnect=1")
    log_until(machine, "the camera /dev/video0 gives no more pictures")
    machine.run("modprobe", "-r", "vivid")  # which the kernel refuses as long as anybody has the device
    log_until(machine, "the camera /dev/video0 is not there")
    machine.run(*VIVID)
    said = log_until(machine, "the camera /dev/video0 works again")

    assert "/dev/video0   vivid" in looked
    assert "/dev/video0 gives pictures of 1920 x 1080 pixels" in looked
    assert picture.startswith(b"\xff\xd8")
    assert said.count("works again") == 1
