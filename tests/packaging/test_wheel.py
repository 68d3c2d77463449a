"""What a device installs: the wheel, in an environment that holds the locked runtime and nothing else."""

import email
import subprocess
import sys
import tomllib
import venv
import zipfile
from pathlib import Path

import pytest

from tests.packaging.places import ROOT, SAMPLES, findings
from tools import environment


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (path,) = folder.iterdir()
    return path


@pytest.fixture(scope="module")
def device(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The ``bin`` folder of a new environment: the wheel, and the packages of .venv, which holds the locked runtime."""
    folder = tmp_path_factory.mktemp("device")
    runtime = ROOT / ".venv"
    packages = runtime / "lib" / f"python{sys.version_info.major}.{sys.version_info.minor}" / "site-packages"
    if not packages.is_dir():
        pytest.skip("needs the runtime's environment .venv; run `make .venv`")
    venv.create(folder)
    python = folder / "bin" / "python"
    # Before the runtime's packages come into sight, among them this checkout, which pip would take for the same.
    install = [python, environment.PIP / "pip", "install", "--no-index", "--no-deps", wheel]
    subprocess.run([str(word) for word in install], check=True, capture_output=True)
    own = folder / packages.relative_to(runtime)
    (own / "runtime.pth").write_text(f"{packages}\n")
    return folder / "bin"


def test_wheel_holds_the_runtime_and_its_model_alone(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()

    assert {name.partition("/")[0].partition("-")[0] for name in names} == {"edge_runtime", "edge_pneumo"}
    assert {f"edge_runtime/bundles/{name}.tflite" for name in ("compact", "full")} <= set(names)
    sources = {str(path.relative_to(ROOT)) for path in (ROOT / "edge_runtime").rglob("*.py")}
    assert sources <= set(names)


def test_wheel_declares_the_six_dependencies_of_the_runtime(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        (metadata,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        fields = email.message_from_bytes(archive.read(metadata))

    needed = [line for line in fields.get_all("Requires-Dist", []) if "extra ==" not in line]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert sorted(needed) == sorted(project["dependencies"])
    assert fields["Requires-Python"] == "<3.14,>=3.11"


def test_installed_wheel_answers_without_tensorflow(device: Path) -> None:
    answers = findings([device / "edge-pneumo", "classify", "--json", *SAMPLES])

    assert [Path(answer["source"]).name for answer in answers] == [path.name for path in SAMPLES]
    assert {answer["status"] for answer in answers} == {"classified"}


def test_device_has_the_wheel_and_nothing_of_the_rest(device: Path, tmp_path: Path) -> None:
    program = (
        "import edge_runtime, importlib.util as u; print(edge_runtime.__file__);"
        "print(*(name for name in ('tensorflow', 'keras', 'train', 'convert') if u.find_spec(name)))"
    )

    found = subprocess.run([device / "python", "-c", program], cwd=tmp_path, check=True, capture_output=True, text=True)

    file, *others = found.stdout.split()
    assert Path(file).is_relative_to(device.parent)
    assert others == []


def test_device_reproduces_the_converters_outputs(device: Path) -> None:
    (report,) = findings([device / "edge-pneumo", "verify", "--json"])

    assert report["reproduced"]
    assert report["engine"].startswith("ai-edge-litert ")
