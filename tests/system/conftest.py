from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.device import Device, build_wheel, switched_on
from tools.debian import UnavailableError
from tools.debian_root import make_root


@pytest.fixture(scope="session")
def root() -> Path:
    """A Debian to boot; made once on this machine, which takes half a minute."""
    try:
        return make_root()
    except UnavailableError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_wheel(tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def fresh_device(root: Path, wheel: Path) -> Iterator[Device]:
    """A machine with the program, and no service yet."""
    try:
        with switched_on(root, wheel) as device:
            yield device
    except UnavailableError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def device(fresh_device: Device) -> Device:
    """A machine on which the service has just been installed."""
    installed = fresh_device.service("install", check=False)
    assert installed.returncode == 0, installed.stderr + fresh_device.journal()
    return fresh_device
