"""tools/environment.py, which `make` calls each time."""

from pathlib import Path

import pytest

from tools import environment


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    path = tmp_path / "lock.txt"
    path.write_text("six==1.17.0 --hash=sha256:0\n")
    return path


@pytest.mark.parametrize("version", [(3, 11), (3, 12), (3, 13)])
@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_supported_pythons_are_suitable(version: tuple[int, int], machine: str) -> None:
    assert environment.unsuitable(version, machine, 64) is None


@pytest.mark.parametrize("version", [(3, 10), (3, 14), (2, 7), (4, 0)])
def test_other_pythons_are_refused_with_what_to_do(version: tuple[int, int]) -> None:
    reason = environment.unsuitable(version, "x86_64", 64)

    assert reason is not None
    assert f"this is Python {version[0]}.{version[1]}" in reason
    assert "install one" in reason


@pytest.mark.parametrize(("machine", "bits"), [("armv7l", 32), ("aarch64", 32), ("riscv64", 64)])
def test_other_machines_are_refused_with_what_to_do(machine: str, bits: int) -> None:
    reason = environment.unsuitable((3, 11), machine, bits)

    assert reason is not None
    assert f"{bits}-bit on {machine}" in reason


def test_up_to_date_environment_is_left_alone(lock: Path, tmp_path: Path) -> None:
    folder = tmp_path / "env"
    folder.mkdir()
    (folder / "edge-pneumo.stamp").write_text(environment.recipe(folder, lock))

    environment.make(folder, lock)

    assert [path.name for path in folder.iterdir()] == ["edge-pneumo.stamp"]


def test_recipe_changes_with_the_lock_and_with_the_place(lock: Path, tmp_path: Path) -> None:
    before = environment.recipe(tmp_path / "env", lock)

    elsewhere = environment.recipe(tmp_path / "moved" / "env", lock)
    lock.write_text("six==1.16.0 --hash=sha256:0\n")
    updated = environment.recipe(tmp_path / "env", lock)

    assert len({before, elsewhere, updated}) == 3


def test_folder_that_is_no_environment_is_not_touched(lock: Path, tmp_path: Path) -> None:
    folder = tmp_path / "env"
    folder.mkdir()
    (folder / "thesis.txt").write_text("years of work")

    with pytest.raises(SystemExit, match="is no virtual environment; move it away"):
        environment.make(folder, lock)

    assert (folder / "thesis.txt").read_text() == "years of work"


def test_pip_is_the_pinned_one() -> None:
    import hashlib

    assert hashlib.sha256(environment.PIP.read_bytes()).hexdigest() == environment.PIP_SHA256
