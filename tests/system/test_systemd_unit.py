"""The unit that `edge-pneumo service install` writes, in the eyes of systemd's own checks."""

import argparse
import configparser
import re
import shlex
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from edge_runtime.camera.choice import parse
from edge_runtime.errors import UsageError
from edge_runtime.service.unit import Choices, Program, Service, command, render, template
from edge_runtime.watch import command as watch

ROOT = Path(__file__).parents[2]
# What an attacker who has the service in hand could still do, from 0 to 10, as `systemd-analyze security` counts it.
MOST_EXPOSED = 1.5


def service(folder: Path = Path("/incoming"), *, moves: bool = False, generates_code: bool = False) -> Service:
    """With a program that exists on every machine, which systemd insists on."""
    return Service(
        program=Program(Path("/bin/sh"), (Path("/opt/edge-pneumo"), Path("/usr/bin/python3")), "1.0 abc"),
        folder=folder,
        results=None,
        input="move" if moves else "leave",
        config=None,
        readable=(),
        writable=(),
        generates_code=generates_code,
        memory=2048,
    )


def with_camera(word: str) -> Service:
    return replace(service(), camera=parse(word), camera_word=word)


CAMERAS = {
    "usb": with_camera("0"),
    "port": with_camera("picamera2:1"),
    "network": with_camera("rtsp://192.168.1.20:554/a?b=$c%20d"),
}


def unit(of: Service, *, systemd: int = 252) -> str:
    return render(template(), of, Choices(), systemd=systemd)


def analyze(folder: Path, text: str, *words: str) -> subprocess.CompletedProcess[str]:
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("systemd-analyze is not installed (apt-get install systemd)")
    path = folder / "edge-pneumo.service"
    path.write_text(text, encoding="utf-8")
    return subprocess.run([program, *words, str(path)], capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    "of",
    [
        service(),
        service(moves=True, generates_code=True),
        service(Path("/srv/ward 3; 100% 'ö' #1 $HOME")),
        replace(service(), results=Path("/srv/find ings"), config=Path("/srv/c.toml"), writable=(Path("/srv/done"),)),
        *CAMERAS.values(),
    ],
    ids=["default", "moves", "odd folder", "everything", *CAMERAS],
)
def test_systemd_has_nothing_to_say_about_it(of: Service, tmp_path: Path) -> None:
    result = analyze(tmp_path, unit(of), "verify")

    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


def test_systemd_would_say_so(tmp_path: Path) -> None:
    result = analyze(tmp_path, unit(service()).replace("[Install]", "NoSuchSetting=yes\n[Install]"), "verify")

    assert "NoSuchSetting" in result.stderr


@pytest.mark.parametrize("of", [service(), service(moves=True, generates_code=True)], ids=["default", "weakest"])
def test_exposure_is_small(of: Service, tmp_path: Path) -> None:
    result = analyze(tmp_path, unit(of), "security", "--offline=true", "--no-pager")

    assert result.stderr == ""
    assert exposure(result.stdout) <= MOST_EXPOSED


@pytest.mark.parametrize("camera", CAMERAS)
def test_exposure_with_a_camera_is_still_small(camera: str, tmp_path: Path) -> None:
    result = analyze(tmp_path, unit(CAMERAS[camera]), "security", "--offline=true", "--no-pager")

    assert result.stderr == ""
    assert exposure(result.stdout) <= MOST_EXPOSED


def test_devices_and_network_are_closed_without_a_camera() -> None:
    found = settings(unit(service()))

    assert (found["PrivateDevices"], found["DevicePolicy"], found["PrivateNetwork"]) == (["yes"], ["closed"], ["yes"])
    assert (found["RestrictAddressFamilies"], found["IPAddressDeny"]) == (["AF_UNIX"], ["any"])
    assert not {"DeviceAllow", "SupplementaryGroups", "IPAddressAllow"} & set(found)
    assert "/dev" not in found["BindReadOnlyPaths"]


def test_usb_camera_opens_video_devices_and_no_more() -> None:
    found = settings(unit(CAMERAS["usb"]))

    assert (found["PrivateDevices"], found["DevicePolicy"]) == (["no"], ["closed"])
    assert found["DeviceAllow"] == ["char-video4linux rw"]
    assert found["SupplementaryGroups"] == ["video"]
    assert "/dev" in found["BindReadOnlyPaths"]
    assert found["PrivateNetwork"] == ["yes"]


def test_camera_port_opens_what_libcamera_needs() -> None:
    found = settings(unit(CAMERAS["port"]))

    assert {"char-video4linux rw", "char-media rw", "char-dma_heap rw"} < set(found["DeviceAllow"])
    assert (found["PrivateNetwork"], found["RestrictAddressFamilies"]) == (["yes"], ["AF_UNIX AF_NETLINK"])


def test_network_camera_opens_its_address_and_no_device() -> None:
    found = settings(unit(CAMERAS["network"]))

    assert (found["PrivateNetwork"], found["IPAddressDeny"]) == (["no"], ["any"])
    assert found["IPAddressAllow"] == ["192.168.1.20"]
    assert found["PrivateDevices"] == ["yes"]


def test_network_camera_that_is_named_by_a_name_is_refused() -> None:
    with pytest.raises(UsageError, match=r"'camera.local' is a name; write the number"):
        unit(with_camera("rtsp://camera.local/stream"))


@pytest.mark.parametrize("camera", CAMERAS)
def test_camera_opens_the_folder_and_reaches_the_command_as_it_is(camera: str) -> None:
    text = unit(CAMERAS[camera])
    line = read(text)["Service"]["ExecStart"].replace("%%", "%").replace("$$", "$")
    parser = argparse.ArgumentParser()
    watch.add_arguments(parser)

    arguments = parser.parse_args(shlex.split(line)[7:])

    assert arguments.camera_device == CAMERAS[camera].camera_word
    assert "\nBindPaths=-/incoming\n" in text


def test_camera_that_is_none_reaches_the_command() -> None:
    words = shlex.split(read(unit(replace(service(), camera_word="")))["Service"]["ExecStart"])

    assert words[words.index("--camera") + 1] == ""


def settings(text: str) -> dict[str, list[str]]:
    """All values of each setting of the service."""
    found: dict[str, list[str]] = {}
    for line in text.partition("[Service]")[2].splitlines():
        name, equals, value = line.partition("=")
        if equals and not name.startswith("#"):
            found.setdefault(name, []).append(value)
    return found


def test_exposure_would_be_large_without_the_sandbox(tmp_path: Path) -> None:
    bare = "[Service]\nExecStart=/bin/sh\n"

    assert exposure(analyze(tmp_path, bare, "security", "--offline=true", "--no-pager").stdout) > 9


def exposure(report: str) -> float:
    found = re.search(r"Overall exposure level for \S+: ([\d.]+)", report)
    assert found, report
    return float(found[1])


def test_it_runs_the_command_as_the_command_is() -> None:
    words = shlex.split(read(unit(replace(service(Path("/in")), results=Path("/out"))))["Service"]["ExecStart"])
    parser = argparse.ArgumentParser()
    watch.add_arguments(parser)

    arguments = parser.parse_args(words[words.index("watch") + 1 :])

    assert words[:6] == ["/bin/sh", "-I", "-X", "faulthandler", "-m", "edge_runtime"]
    assert (arguments.watch_folder, arguments.watch_results) == (Path("/in"), Path("/out"))
    assert arguments.watch_input == "leave"


def test_odd_folder_reaches_the_command_as_it_is() -> None:
    of = service(Path("/srv/ward 3; 100% 'ö' #1 $HOME"))

    line = read(unit(of))["Service"]["ExecStart"]

    # systemd takes %% for % and $$ for $, and splits words at spaces as a shell does.
    assert shlex.split(line.replace("%%", "%").replace("$$", "$")) == command(of)


def test_folder_is_only_read_unless_files_are_moved() -> None:
    assert "\nBindReadOnlyPaths=-/incoming\n" in unit(service())
    assert "\nBindPaths=-/incoming\n" not in unit(service())
    assert "\nBindPaths=-/incoming\n" in unit(service(moves=True))
    assert "\nBindReadOnlyPaths=-/incoming\n" not in unit(service(moves=True))


def test_it_does_not_hide_the_cpu_from_the_engine() -> None:
    assert "ProcSubset" not in read(unit(service()))["Service"]


def test_only_an_engine_that_generates_code_may() -> None:
    assert "\nMemoryDenyWriteExecute=yes\n" in unit(service())
    assert "\nMemoryDenyWriteExecute=no\n" in unit(service(generates_code=True))


@pytest.mark.parametrize(("systemd", "grows"), [(252, False), (254, True), (257, True)])
def test_pause_before_a_restart_grows_where_systemd_can(systemd: int, grows: bool) -> None:
    text = unit(service(), systemd=systemd)

    assert ("RestartSteps=" in text, "RestartMaxDelaySec=" in text) == (grows, grows)
    assert "\nRestartSec=" in text


def test_only_what_is_to_be_filled_in_is_left_in_the_template() -> None:
    assert not re.search(r"@[A-Z_]+@", unit(service()))
    assert "SystemCallFilter=@system-service" in unit(service())


def read(text: str) -> configparser.ConfigParser:
    found = configparser.ConfigParser(interpolation=None, strict=False)
    found.optionxform = str  # type: ignore[assignment, method-assign]
    found.read_string(text)
    return found
