from collections.abc import Callable

import pytest

from edge_runtime.config.config import EngineChoice
from edge_runtime.errors import EngineError
from edge_runtime.model.bundle import Bundle
from edge_runtime.model.choice import choose_engine, preferred_engine
from edge_runtime.model.engines import Engine, EngineName
from tests.engines import ScriptedEngine, bundle_without_model

BUNDLE = bundle_without_model()


class Named(ScriptedEngine):
    def __init__(self, name: str, difference: int) -> None:
        super().__init__([difference, 0, 0], BUNDLE.golden.maps[0], tolerance=2)
        self.name = name


def engines(*, openvino: int | None, litert: int = 0) -> Callable[[Bundle, int | None, EngineName], Engine]:
    """Opens engines that differ from the golden vectors by so many steps; ``None`` is not installed."""

    def open_engine(_: Bundle, threads: int | None, name: EngineName) -> Engine:
        difference = openvino if name == "openvino" else litert
        if difference is None:
            raise EngineError(f"{name} is not installed; install it")
        return Named(f"{name} 1, {threads} threads", difference)

    return open_engine


def choose(
    choice: EngineChoice | None,
    open_engine: Callable[[Bundle, int | None, EngineName], Engine],
    *,
    proven: bool = True,
    preferred: EngineName = "openvino",
) -> tuple[str, list[str]]:
    warned: list[str] = []
    engine = choose_engine(
        BUNDLE, 2, choice, warn=warned.append, proven=proven, open_engine=open_engine, preferred=lambda: preferred
    )
    return engine.name, warned


@pytest.mark.parametrize("choice", [None, "litert"])
def test_litert_is_the_default_and_its_vectors_are_left_to_the_caller(choice: EngineChoice | None) -> None:
    assert choose(choice, engines(openvino=0, litert=9)) == ("litert 1, 2 threads", [])


@pytest.mark.parametrize("choice", ["openvino", "auto"])
def test_openvino_is_used_where_it_reproduces_the_golden_vectors(choice: EngineChoice) -> None:
    assert choose(choice, engines(openvino=2)) == ("openvino 1, 2 threads", [])


def test_openvino_is_refused_where_it_does_not() -> None:
    with pytest.raises(
        EngineError, match=r"openvino 1, 2 threads does not compute .* up to 3 steps, 2 are allowed.*--engine litert"
    ):
        choose("openvino", engines(openvino=3))


def test_a_caller_that_looks_for_himself_gets_what_he_asked_for() -> None:
    assert choose("openvino", engines(openvino=3), proven=False) == ("openvino 1, 2 threads", [])


@pytest.mark.parametrize(("difference", "reason"), [(3, "up to 3 steps"), (None, "is not installed")])
def test_auto_says_why_it_falls_back(difference: int | None, reason: str) -> None:
    name, (warning,) = choose("auto", engines(openvino=difference))

    assert name == "litert 1, 2 threads"
    assert reason in warning
    assert warning.endswith("; litert is used instead")


def test_auto_takes_litert_in_silence_where_it_is_preferred() -> None:
    assert choose("auto", engines(openvino=0), preferred="litert") == ("litert 1, 2 threads", [])


@pytest.mark.parametrize(
    ("machine", "installed", "expected"),
    [("x86_64", True, "openvino"), ("x86_64", False, "litert"), ("aarch64", True, "litert")],
)
def test_openvino_is_preferred_on_x86_where_it_is_installed(machine: str, *, installed: bool, expected: str) -> None:
    assert preferred_engine(machine, installed=installed) == expected
