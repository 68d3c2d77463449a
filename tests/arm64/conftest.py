import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from edge_runtime.model.engines import usable_cpus
from tests.arm64.devices import DEVICES, SAMPLES, Answers, Device, Here, answers_here, begin, originals
from tests.system.device import build_wheel
from tools.arm64_root import BOARDS, install_wheel, make_environment
from tools.debian import UnavailableError

THOROUGH = os.environ.get("EDGE_PNEUMO_ARM64") == "thorough"
"""As `make test-arm64` asks for: the full model too, and what is missing here is an error."""


@pytest.fixture(scope="session")
def files() -> list[Path]:
    """The samples, and originals where this machine has them."""
    found = originals()
    if THOROUGH and not found:
        print("no originals: EDGE_PNEUMO_DATA names no data set that they lie beside; the samples alone are compared")
    return SAMPLES + found


@pytest.fixture(scope="session")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the device wheel is installed."""
    folder = tmp_path_factory.mktemp("wheel")
    install_wheel(build_wheel(folder), folder / "packages")
    return folder / "packages"


@pytest.fixture(scope="session")
def here(files: list[Path], packages: Path, tmp_path_factory: pytest.TempPathFactory) -> Here:
    """This machine's answers."""
    return answers_here(files, packages, tmp_path_factory.mktemp("here") / "work")


@pytest.fixture(scope="session")
def at_work(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, files: list[Path], packages: Path
) -> Iterator[Callable[[tuple[str, str]], Answers]]:
    """All devices that are asked for, at work at the same time; gives one's answers."""
    params = (getattr(item, "callspec", None) for item in request.session.items)
    wanted = {spec.params["answers"] for spec in params if spec is not None and "answers" in spec.params}
    folder = tmp_path_factory.mktemp("arm64")
    try:
        for system in sorted({system for _, system in wanted}):
            make_environment(system)
    except UnavailableError as error:
        if THOROUGH:
            raise
        pytest.skip(str(error))
    with ThreadPoolExecutor(usable_cpus()) as workers:
        started = {
            (board, system): begin(
                Device(BOARDS[board], system, packages, folder / f"{board}-{system}"),
                files,
                workers,
                full=THOROUGH,
            )
            for board, system in DEVICES
            if (board, system) in wanted
        }
        yield started.__getitem__
        workers.shutdown(cancel_futures=True)


@pytest.fixture(scope="session", params=DEVICES, ids=" with ".join)
def answers(request: pytest.FixtureRequest, at_work: Callable[[tuple[str, str]], Answers]) -> Answers:
    """What one board with one system says."""
    return at_work(request.param)
