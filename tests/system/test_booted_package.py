"""The Debian package on an untouched machine: `sudo apt install` and what follows, up to the purge."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.system.device import RESULTS, SAMPLES, UNIT, Device
from tests.system.package import CONFIGURATION, EARLIER, HERE, INCOMING, answered, apt, kept, untouched
from tools.deb.__main__ import make, project_version, source_date
from tools.deb.wheels import CannotFetchError
from tools.debian import PYTHONS, UnavailableError
from tools.debian_root import make_untouched_root

RELEASE = "bookworm"
UNIT_FILE = Path("/etc/systemd/system") / UNIT
SCRIPTS = Path("/var/lib/dpkg/info/edge-pneumo")


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """An earlier version and this one, for this machine and the root's Python; large, and built in seconds."""
    versions, pythons = [EARLIER, project_version()], [PYTHONS[RELEASE]]
    try:
        make_untouched_root(RELEASE)
        return make(HERE, versions, tmp_path_factory.mktemp("deb"), source_date(), pythons=pythons, compressed=False)
    except (UnavailableError, CannotFetchError) as error:
        pytest.skip(str(error))


@contextmanager
def switched_on() -> Iterator[Device]:
    try:
        with untouched(RELEASE) as device:
            yield device
    except UnavailableError as error:
        pytest.skip(str(error))


@pytest.fixture
def fresh() -> Iterator[Device]:
    with switched_on() as device:
        yield device


@pytest.fixture(scope="module")
def installed(packages: list[Path]) -> Iterator[Device]:
    with switched_on() as device:
        apt(device, "install", packages[1])
        yield device


def script(device: Device, name: str, *arguments: str) -> str:
    """Run a maintainer script as dpkg does."""
    return device.run("env", "DPKG_MAINTSCRIPT_NAME=" + name, f"{SCRIPTS}.{name}", *arguments).stdout


def test_from_nothing_to_a_finding_and_through_an_upgrade_to_the_purge(packages: list[Path], fresh: Device) -> None:
    earlier, package = packages

    said = apt(fresh, "install", earlier).stdout

    assert f"the service runs: it watches {INCOMING}, findings go to {RESULTS}\n" in said
    assert "put a radiograph (JPEG or PNG) into the folder it watches" in said
    assert "anna may use both folders" in said
    assert fresh.run("id", "-nG", "anna").stdout.split() == ["anna", "edge-pneumo"]
    assert (fresh.show("ActiveState"), fresh.show("UnitFileState")) == ("active", "enabled")
    assert fresh.run("edge-pneumo", "service", "install").stdout.startswith("nothing to do")

    fresh.put(SAMPLES[0], "first.png")
    assert fresh.finding("first.png")["status"] == "classified"
    fresh.wait(lambda: answered(fresh) == 1, "it is not in the journal")
    with fresh.path(CONFIGURATION).open("a") as settings:
        settings.write("threads = 1\n")
    fresh.run("edge-pneumo", "service", "install", "--memory", "700")
    before = kept(fresh)

    apt(fresh, "install", package)
    fresh.put(SAMPLES[1], "second.png")
    fresh.finding("second.png")

    assert fresh.run("edge-pneumo", "--version").stdout == f"edge-pneumo {project_version()}\n"
    assert fresh.path(CONFIGURATION).read_text().endswith("\nthreads = 1\n")
    assert fresh.show("MemoryMax") == str(700 * 2**20)
    assert before.items() <= kept(fresh).items()
    fresh.wait(lambda: answered(fresh) == 2, "there is not one answer for each radiograph")

    before = kept(fresh)

    removed = apt(fresh, "remove", "edge-pneumo").stdout

    assert f"findings stay in {RESULTS}" in removed
    assert kept(fresh) == before
    assert fresh.show("LoadState") == "not-found"
    assert not fresh.path("/usr/lib/edge-pneumo").exists()
    assert fresh.path(CONFIGURATION).exists()

    purged = apt(fresh, "purge", "edge-pneumo").stdout

    assert "/var/lib/edge-pneumo stays" in purged
    assert kept(fresh) == before
    assert not fresh.path("/etc/edge-pneumo").exists()


def test_service_that_was_switched_off_stays_off_in_an_upgrade(installed: Device) -> None:
    installed.run("systemctl", "disable", "--now", UNIT)

    script(installed, "prerm", "upgrade", "9")
    said = script(installed, "postinst", "configure", project_version())
    state = installed.show("ActiveState")
    installed.run("edge-pneumo", "service", "install")
    script(installed, "prerm", "upgrade", "9")
    between = installed.show("ActiveState")
    script(installed, "postinst", "configure", project_version())

    assert "was switched off and stays so" in said
    assert state == "inactive"
    # One that was not is stopped while files are replaced, and started again.
    assert (between, installed.show("ActiveState")) == ("inactive", "active")


def test_service_of_another_edge_pneumo_is_left_alone(installed: Device) -> None:
    unit = installed.path(UNIT_FILE)
    ours = unit.read_text()
    # As one from pip, in an environment of its own.
    others = ours.replace("ExecStart=/usr/lib/edge-pneumo/", "ExecStart=/opt/other/")
    unit.write_text(others)

    script(installed, "prerm", "upgrade", "9")
    said = script(installed, "postinst", "configure", project_version())
    script(installed, "prerm", "remove")
    left = unit.read_text()
    unit.write_text(ours)
    script(installed, "postinst", "configure", project_version())

    assert "runs another edge-pneumo than the package's and stays as it is" in said
    assert left == others
    assert ours != others


def test_another_python_of_the_machine_is_compiled_for_and_started_with(installed: Device) -> None:
    stale = installed.path(UNIT_FILE)
    stale.write_text(stale.read_text().replace("/usr/bin/python3.11", "/usr/bin/python3.10"))
    compiled = installed.path("/usr/lib/edge-pneumo/lib/python3.11/site-packages/edge_runtime/__pycache__")
    had = compiled.is_dir()
    installed.run("rm", "-r", f"/{compiled.relative_to(installed.machine.root)}")

    # As dpkg does it when it unpacks another /usr/bin/python3.
    installed.run("dpkg-trigger", "--by-package=python3-minimal", "/usr/bin/python3")
    installed.run("dpkg", "--configure", "--pending")

    assert had
    assert compiled.is_dir()
    assert "/usr/bin/python3.11" in stale.read_text()
    assert installed.show("ActiveState") == "active"


def test_systems_picamera2_is_found_behind_the_packages_own_numpy_and_simplejpeg(installed: Device) -> None:
    # As on Raspberry Pi OS bookworm, whose simplejpeg ends its import under numpy 2.
    system = installed.path("/usr/lib/python3/dist-packages")
    for name, text in {
        "numpy": "__version__ = '1.24.2'\n",
        "simplejpeg": "raise ValueError('numpy.dtype size changed')\n",
        "picamera2": "import numpy, simplejpeg\n",
    }.items():
        (system / name).mkdir()
        (system / name / "__init__.py").write_text(text)

    program = "import picamera2, numpy, simplejpeg; print(*(m.__file__ for m in (picamera2, numpy, simplejpeg)))"
    found = installed.run("/usr/lib/edge-pneumo/bin/python3", "-I", "-c", program).stdout.split()
    verified = installed.run("edge-pneumo", "verify", check=False)

    packages = "/usr/lib/edge-pneumo/lib/python3.11/site-packages"
    assert found == [
        "/usr/lib/python3/dist-packages/picamera2/__init__.py",
        f"{packages}/numpy/__init__.py",
        f"{packages}/simplejpeg/__init__.py",
    ]
    assert verified.returncode == 0, verified.stderr


def test_without_systemd_the_package_installs_and_says_what_is_left_to_do(packages: list[Path], fresh: Device) -> None:
    # An image of a card in the making: no systemd has started it.
    fresh.run("mount", "-t", "tmpfs", "tmpfs", "/run/systemd")

    said = apt(fresh, "install", packages[1]).stdout
    fresh.run("install", "-d", "/tmp/in")
    fresh.put(SAMPLES[0], "scan.png", "/tmp/in")
    watched = fresh.run("edge-pneumo", "watch", "/tmp/in", "--once", "--results", "/tmp/results")

    assert "sudo edge-pneumo service install" in said
    assert not fresh.path(UNIT_FILE).exists()
    assert "1 classified" in watched.stdout
    assert fresh.path("/tmp/results/scan.png.json").exists()
