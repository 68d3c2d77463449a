"""An Edge TPU's library in the service's sandbox: the library of the tests, which is no Edge TPU's; see ``coral.c``."""

from collections.abc import Iterator

import pytest

from edge_runtime.model import bundle, installed
from edge_runtime.model.engines.edgetpu_devices import LIBRARY_VARIABLE
from tests.edge_runtime.model.edgetpu import coral
from tests.edge_runtime.model.edgetpu.coral import Coral
from tests.system.device import COMMAND, RESULTS, SAMPLES, UNIT, Device

STATE = RESULTS.parent


@pytest.fixture(scope="module")
def plugged_in(fresh_device: Device) -> Iterator[Coral]:
    """A service that misses an Edge TPU, and one that is plugged in before it starts."""
    if coral.COMPILER is None:
        pytest.skip("needs a C compiler (cc), to make a library of Edge TPUs")
    device = fresh_device
    # What the service may read: libraries, and what lies in /etc/edge-pneumo.
    coral.build(device.path("/usr/local/lib"))
    folder = device.path("/etc/edge-pneumo")
    folder.mkdir(exist_ok=True)
    coral.with_compiled(installed.path(), folder / "compiled.tflite")
    (folder / "config.toml").write_text('accelerator = "edgetpu"\nbundle = "compiled.tflite"\n')
    place = device.path(STATE)
    place.mkdir(mode=0o755, exist_ok=True)
    variables = {LIBRARY_VARIABLE: "/usr/local/lib/libedgetpu.so.1", coral.FOLDER_VARIABLE: str(STATE / "c")}
    settings = [f"Environment={name}={value}" for name, value in variables.items()]
    with Coral(place, bundle.read(installed.path()).tflite) as found, device.with_settings(*settings):
        coral.sockets(place).chmod(0o755)
        (coral.sockets(place) / "usb:0").chmod(0o777)
        result = device.service("install", check=False)
        assert result.returncode == 0, result.stderr + device.journal()
        yield found


def test_service_answers_by_it_and_by_the_cpu_when_it_is_pulled_out(plugged_in: Coral, fresh_device: Device) -> None:
    device = fresh_device
    device.put(SAMPLES[0], "before.png")
    before = device.finding("before.png")

    plugged_in.pull_out()
    device.put(SAMPLES[1], "after.png")
    after = device.finding("after.png")

    assert before["engine"].startswith("Edge TPU")
    assert not after["engine"].startswith("Edge TPU")
    # What it stands is written once a second.
    device.wait(lambda: "degraded" in device.run(COMMAND, "status", RESULTS).stdout, "it is not said")
    assert "the library of the Edge TPU crashed (SIGABRT: F driver/usb" in device.run(COMMAND, "status", RESULTS).stdout
    assert device.run("systemctl", "is-active", UNIT).stdout.strip() == "active"


def test_sandbox_opens_the_devices_of_one(plugged_in: Coral, fresh_device: Device) -> None:
    assert plugged_in.opened > 0
    assert {"char-usb_device rw", "char-apex rw"} <= {
        line.strip() for line in fresh_device.show("DeviceAllow").splitlines()
    }
