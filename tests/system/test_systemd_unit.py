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
    ],
    ids=["default", "moves", "odd folder", "everything"],
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
