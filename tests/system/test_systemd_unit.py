import argparse
import configparser
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from edge_runtime import watch

UNIT = Path(__file__).parents[2] / "systemd" / "edge-pneumo.service"


def read_unit() -> configparser.ConfigParser:
    unit = configparser.ConfigParser(interpolation=None)
    unit.optionxform = str  # type: ignore[assignment, method-assign]
    unit.read_string(UNIT.read_text(encoding="utf-8"))
    return unit


def verify(unit: Path) -> subprocess.CompletedProcess[str]:
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("systemd-analyze is not installed (apt-get install systemd)")
    return subprocess.run([analyze, "verify", unit], capture_output=True, text=True, check=False)


def installed(folder: Path, *, wrong: str = "") -> Path:
    """The unit with a program that exists on every machine in place of the installed one."""
    text = UNIT.read_text(encoding="utf-8")
    program = shlex.split(read_unit()["Service"]["ExecStart"])[0]
    assert text.count(program) == 1
    path = folder / UNIT.name
    path.write_text(text.replace(program, "/bin/sh").replace("[Install]", f"{wrong}\n[Install]"), encoding="utf-8")
    return path


def test_systemd_has_nothing_to_say_about_it(tmp_path: Path) -> None:
    result = verify(installed(tmp_path))

    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


def test_systemd_would_say_so(tmp_path: Path) -> None:
    result = verify(installed(tmp_path, wrong="NoSuchSetting=yes"))

    assert "NoSuchSetting" in result.stderr


def test_it_runs_the_command_as_the_command_is() -> None:
    program, command, *words = shlex.split(read_unit()["Service"]["ExecStart"])
    parser = argparse.ArgumentParser()
    watch.add_arguments(parser)

    arguments = parser.parse_args(words)

    assert (Path(program).name, command) == ("edge-pneumo", "watch")
    assert arguments.folder == Path("/incoming")
    assert read_unit()["Unit"]["RequiresMountsFor"] == "/incoming"


def test_it_does_not_hide_the_cpu_from_the_engine() -> None:
    assert "ProcSubset" not in read_unit()["Service"]


def test_the_three_commands_install_this_unit() -> None:
    readme = (UNIT.parent / "README.md").read_text(encoding="utf-8")
    commands = readme.split("```sh\n")[1].split("```")[0].splitlines()

    assert len(commands) == 3
    assert "systemd/edge-pneumo.service /etc/systemd/system/" in commands[2]
    assert "/opt/edge-pneumo" in commands[0]
    assert f"u {read_unit()['Service']['User']} " in commands[1]
