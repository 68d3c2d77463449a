"""What `tools.arm64_root` makes, and what it says where it cannot."""

import subprocess
from pathlib import Path

import pytest

from tools import arm64_root
from tools.arm64_root import BOARDS, SYSTEMS, Environment, make_environment
from tools.debian import UnavailableError


@pytest.fixture
def empty_path(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A machine with no programs, and nothing made yet."""
    programs = tmp_path / "bin"
    programs.mkdir()
    monkeypatch.setenv("PATH", str(programs))
    monkeypatch.setattr(arm64_root, "CACHE", tmp_path / "cache")
    return programs


def stand_in(programs: Path, name: str, script: str) -> None:
    (programs / name).write_text(f"#!/bin/sh\n{script}\n")
    (programs / name).chmod(0o755)


@pytest.mark.usefixtures("empty_path")
def test_without_qemu_it_says_what_to_install() -> None:
    with pytest.raises(UnavailableError, match="apt-get install qemu-user-static"):
        make_environment("bookworm")


def test_without_mmdebstrap_it_says_what_to_install(empty_path: Path) -> None:
    stand_in(empty_path, arm64_root.QEMU, "exit 0")

    with pytest.raises(UnavailableError, match="apt-get install mmdebstrap"):
        make_environment("trixie")


def test_without_network_it_says_so_and_leaves_nothing(empty_path: Path, tmp_path: Path) -> None:
    stand_in(empty_path, arm64_root.QEMU, "exit 0")
    stand_in(empty_path, "mmdebstrap", "echo 'E: cannot reach deb.debian.org' >&2; exit 25")

    with pytest.raises(UnavailableError, match=r"mmdebstrap failed .*cannot reach"):
        make_environment("bookworm")

    assert list((tmp_path / "cache").iterdir()) == []


def test_launcher_names_the_processor_and_itself(empty_path: Path, tmp_path: Path) -> None:
    stand_in(empty_path, arm64_root.QEMU, 'for word; do echo "$word"; done')
    root, environment = tmp_path / "root", Environment(tmp_path / "environment", SYSTEMS["trixie"])
    (root / "usr" / "lib").mkdir(parents=True)
    arm64_root._add_board(environment, BOARDS["raspberry-pi-5"], root)
    launcher, view = environment.python(BOARDS["raspberry-pi-5"]), environment.view(BOARDS["raspberry-pi-5"])

    said = subprocess.run([launcher, "-c", "two words"], check=True, capture_output=True, text=True).stdout

    wanted = ["-cpu", "cortex-a76", "-L", view, "-0", launcher, f"{view}/usr/bin/python3.13", "-c", "two words"]
    assert said.splitlines() == [str(word) for word in wanted]
    assert (view / "lib").resolve() == root / "usr" / "lib"
    assert "0xd0b" in (view / "proc" / "cpuinfo").read_text()


def test_wrong_words_get_the_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert arm64_root.main(["raspberry-pi-3", "bookworm"]) == 2

    assert "raspberry-pi-4,raspberry-pi-5" in capsys.readouterr().err
