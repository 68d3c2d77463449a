"""requirements/*.txt: what the project's own environments are made from."""

import re
import tomllib

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.packaging.places import ROOT

_PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
_EXTRAS = _PROJECT["optional-dependencies"]
_RUNTIME = _PROJECT["dependencies"]
_WITHOUT_LITERT = [text for text in _RUNTIME if not text.startswith("ai-edge-litert")]
_TEST = [text for name in ("bench", "convert", "test", "train") for text in _EXTRAS[name]]

_LOCKS = {
    "build": tomllib.loads((ROOT / "pyproject.toml").read_text())["build-system"]["requires"],
    "runtime": _RUNTIME,
    "pi": _RUNTIME + _EXTRAS["pi"],
    "bench": _RUNTIME + _EXTRAS["bench"],
    "test": _RUNTIME + [text for text in _TEST if not text.startswith("edge-pneumo")],
    "tflite-runtime": _WITHOUT_LITERT + _EXTRAS["tflite-runtime"],
}


def _lock(name: str) -> str:
    return (ROOT / "requirements" / f"{name}.txt").read_text()


def _pins(name: str) -> list[Requirement]:
    return [Requirement(line.rstrip("\\ ")) for line in _lock(name).splitlines() if re.match(r"[a-z0-9]", line)]


@pytest.mark.parametrize("name", _LOCKS)
def test_lock_meets_every_declared_requirement(name: str) -> None:
    pins = _pins(name)

    for declared in map(Requirement, _LOCKS[name]):
        versions = [
            next(iter(pin.specifier)).version
            for pin in pins
            if canonicalize_name(pin.name) == canonicalize_name(declared.name)
        ]
        assert versions, f"{declared} is not locked; run `make lock`"
        assert all(version in declared.specifier for version in versions), f"{declared}: {versions}; run `make lock`"


@pytest.mark.parametrize("name", _LOCKS)
def test_lock_has_an_exact_version_and_hashes_for_everything_and_no_address(name: str) -> None:
    pins = _pins(name)

    assert all(str(pin.specifier).startswith("==") and pin.url is None for pin in pins)
    entries = re.split(r"\n(?=[a-z0-9])", _lock(name))
    assert len(entries) == len(pins)
    assert all(" --hash=sha256:" in entry for entry in entries)
    lines = [line.partition("#")[0] for line in _lock(name).splitlines()]
    assert {option for line in lines for option in re.findall(r"(?<!\S)--?[a-z-]+", line)} == {"--hash"}
    assert "://" not in _lock(name)


def test_tflite_runtime_has_no_other_engine_beside_it() -> None:
    names = {pin.name for pin in _pins("tflite-runtime")}

    assert "tflite-runtime" in names
    assert "ai-edge-litert" not in names


@pytest.mark.parametrize("name", ["runtime", "pi", "bench", "tflite-runtime"])
def test_device_locks_are_free_of_tensorflow(name: str) -> None:
    assert {pin.name for pin in _pins(name)}.isdisjoint({"tensorflow", "keras"})
