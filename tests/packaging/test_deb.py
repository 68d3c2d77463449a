"""The Debian package as it is built, from small wheels; tests/system/test_booted_package.py installs a whole one."""

import subprocess
import zipfile
from pathlib import Path

import pytest

from tests.packaging.places import ROOT
from tools.deb import tree
from tools.deb.package import assemble, pack

EPOCH = 1_700_000_000
PACKAGING = ROOT / "packaging"


def _wheel(folder: Path, name: str, **files: str) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / f"{name}-1-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"{name}-1.dist-info/METADATA", f"Name: {name}\nVersion: 1\nLicense-Expression: MIT\n")
        archive.writestr(f"{name}-1.dist-info/licenses/LICENSE", "As you like.\n")
        for file, text in files.items():
            archive.writestr(f"{name}/{file.replace('__', '/')}.py", text)
    return path


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A package for two Pythons, one of whose files differs between them."""
    wheels = {
        python: [
            _wheel(tmp_path / python, "work", same="x = 1\n", other=f"x = '{python}'\n", tests__test_x="assert 0\n")
        ]
        for python in ("3.11", "3.13")
    }
    root = tmp_path / "root"
    tree.lay_out(root, wheels)
    assemble(root, "1.2", "arm64", EPOCH)
    return root


@pytest.fixture
def packages(root: Path) -> dict[str, Path]:
    place = root / "usr/lib/edge-pneumo/lib"
    return {python: place / f"python{python}" / "site-packages" / "work" for python in ("3.11", "3.13")}


def test_file_that_is_the_same_for_two_pythons_is_there_once(packages: dict[str, Path]) -> None:
    same = [folder / "same.py" for folder in packages.values()]
    other = [folder / "other.py" for folder in packages.values()]

    assert same[0].stat().st_ino == same[1].stat().st_ino
    assert [path.read_text() for path in other] == ["x = '3.11'\n", "x = '3.13'\n"]


def test_tests_are_left_out(packages: dict[str, Path]) -> None:
    assert not any((folder / "tests").exists() for folder in packages.values())


@pytest.mark.parametrize("name", ["numpy/__init__.py", "numpy/testing/__init__.py", "cv2/data/__init__.py"])
def test_what_is_imported_is_not_left_out(name: str) -> None:
    assert not tree.is_left_out(name)


def test_package_depends_on_the_pythons_it_serves(root: Path) -> None:
    control = (root / "DEBIAN/control").read_text()

    assert "Depends: python3 (>= 3.11), python3 (<< 3.14), libc6 (>= 2.28), " in control
    assert "Architecture: arm64\n" in control
    assert "$" not in control


def test_licences_are_listed_and_lie_beside(root: Path) -> None:
    doc = root / "usr/share/doc/edge-pneumo"

    assert " work 1: MIT\n" in (doc / "copyright").read_text()
    assert (doc / "licenses/work/licenses/LICENSE").read_text() == "As you like.\n"


def test_the_same_tree_gives_the_same_bytes_whenever_it_is_packed(root: Path, tmp_path: Path) -> None:
    if subprocess.run(["sh", "-c", "command -v dpkg-deb"], capture_output=True).returncode:
        pytest.skip("there is no dpkg-deb here")
    files = [tmp_path / "first.deb", tmp_path / "second.deb"]

    pack(root, files[0], EPOCH)
    (root / "usr/bin/edge-pneumo").touch()
    pack(root, files[1], EPOCH)

    assert files[0].read_bytes() == files[1].read_bytes()
    listed = subprocess.run(["dpkg-deb", "--contents", files[0]], check=True, capture_output=True, text=True).stdout
    assert {line.split()[1] for line in listed.splitlines()} == {"root/root"}
    assert " link to ./usr/lib/edge-pneumo/" in listed


@pytest.mark.parametrize("name", ["postinst", "prerm", "postrm"])
def test_maintainer_scripts_are_what_a_posix_shell_reads(name: str) -> None:
    script = PACKAGING / name

    assert subprocess.run(["sh", "-n", script], capture_output=True).returncode == 0
    assert script.read_text().startswith("#!/bin/sh\n")
    assert "\nset -e\n" in script.read_text()


def test_settings_of_the_package_are_empty_so_that_an_upgrade_has_nothing_to_ask() -> None:
    lines = (PACKAGING / "config.toml").read_text().splitlines()

    assert all(line.startswith("#") for line in lines)
