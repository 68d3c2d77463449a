import os
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import numpy as np
import pytest

from edge_runtime.errors import BundleError, EngineError
from edge_runtime.model import bundle
from edge_runtime.model.bundle import Bundle, InputGeometry
from edge_runtime.model.engines.litert import Library, LiteRtEngine, find_library, open_engine


@pytest.fixture
def opened(tiny_bundle: Path) -> Bundle:
    return bundle.read(tiny_bundle)


def test_an_engine_names_its_library(opened: Bundle) -> None:
    assert open_engine(opened, 2).name == f"ai-edge-litert {version('ai-edge-litert')}, 2 threads"


def test_outputs_have_their_shapes_and_types(opened: Bundle) -> None:
    outputs = open_engine(opened, 1).invoke(opened.golden.pixels[:1])

    assert outputs.scores.shape == (3,)
    assert outputs.maps.shape == (14, 14, 3)
    assert outputs.features.shape == (4,)
    assert outputs.scores.dtype == outputs.maps.dtype == outputs.features.dtype == np.int8


def test_outputs_outlive_the_next_inference(opened: Bundle) -> None:
    engine = open_engine(opened, 1)
    first = engine.invoke(opened.golden.pixels[:1])
    scores, maps = first.scores.copy(), first.maps.copy()

    engine.invoke(opened.golden.pixels[2:3])

    np.testing.assert_array_equal(first.scores, scores)
    np.testing.assert_array_equal(first.maps, maps)


def test_quantization_is_that_of_the_model(opened: Bundle) -> None:
    quantization = open_engine(opened, 1).quantization

    white = np.full((1, 224, 224, 1), 255, np.uint8)
    scores = open_engine(opened, 1).invoke(white).scores
    logits = (scores.astype(float) - quantization.scores_zero) * quantization.scores_scale
    assert logits == pytest.approx([-4 + np.log(2), 4, 2], abs=0.1)


def test_a_model_of_another_size_is_refused(opened: Bundle) -> None:
    info = msgspec.structs.replace(opened.info, input=InputGeometry(height=160, width=160))

    with pytest.raises(BundleError, match=r"tensors \(uint8 \[1, 224, 224, 1\].*are not those of an edge-pneumo model"):
        LiteRtEngine(opened.tflite, info, find_library(), 1)


def test_a_model_that_the_library_refuses_is_one_sentence(opened: Bundle) -> None:
    with pytest.raises(
        BundleError, match=r"ai-edge-litert .* cannot run the model \(.+\); update it, or convert"
    ) as caught:
        LiteRtEngine(b"\x1c\0\0\0TFL3" + bytes(200), opened.info, find_library(), 1)
    assert "\n" not in str(caught.value)


def test_a_library_that_this_numpy_breaks_is_one_sentence(opened: Bundle) -> None:
    def interpreter(**_: Any) -> None:
        raise SystemError("<built-in method> returned a result with an exception set")

    with pytest.raises(
        EngineError, match=r"^tflite-runtime 2\.14 does not work with numpy .*'pip install \"numpy<2\"'$"
    ):
        LiteRtEngine(opened.tflite, opened.info, Library("tflite-runtime 2.14", interpreter), 1)


def test_outputs_are_told_apart_by_shape(opened: Bundle) -> None:
    class Swapped:
        """The same interpreter, its outputs in the other order."""

        def __init__(self, **arguments: Any) -> None:
            self._real = find_library().interpreter(**arguments)

        def get_output_details(self) -> list[Any]:
            return list(reversed(self._real.get_output_details()))

        def __getattr__(self, name: str) -> Any:
            return getattr(self._real, name)

    engine = LiteRtEngine(opened.tflite, opened.info, Library("swapped 1", Swapped), 1)

    outputs = engine.invoke(opened.golden.pixels[:1])
    np.testing.assert_array_equal(outputs.scores, opened.golden.scores[0])
    np.testing.assert_array_equal(outputs.features, opened.golden.features[0])


def test_the_library_is_quiet_when_all_is_well(opened: Bundle, capfd: pytest.CaptureFixture[str]) -> None:
    open_engine(opened, 1)

    assert capfd.readouterr().err == ""


def test_what_the_library_has_to_complain_of_is_shown(opened: Bundle, capfd: pytest.CaptureFixture[str]) -> None:
    def talkative(**arguments: Any) -> Any:
        os.write(2, b"INFO: hello\nWARNING: the slow path\n")
        return find_library().interpreter(**arguments)

    LiteRtEngine(opened.tflite, opened.info, Library("talkative 1", talkative), 1)

    assert capfd.readouterr().err == "WARNING: the slow path\n"


def test_ai_edge_litert_is_preferred() -> None:
    asked = []

    def import_module(name: str) -> Any:
        asked.append(name)
        return SimpleNamespace(Interpreter=dict)

    library = find_library(import_module)

    assert asked == ["ai_edge_litert.interpreter"]
    assert library.name.startswith("ai-edge-litert ")


def test_without_any_library_the_sentence_says_what_to_install() -> None:
    def import_module(name: str) -> Any:
        raise ModuleNotFoundError(name)

    with pytest.raises(EngineError, match=r"ai-edge-litert is not installed.*pip install ai-edge-litert"):
        find_library(import_module)


def test_a_library_that_does_not_load_says_why() -> None:
    def import_module(name: str) -> Any:
        raise ImportError(f"{name} needs libstdc++.so.6: version `GLIBCXX_3.4.32' not found")

    with pytest.raises(EngineError, match=r"ai-edge-litert does not load: .*GLIBCXX"):
        find_library(import_module)


def test_the_older_name_is_the_second_choice() -> None:
    def import_module(name: str) -> Any:
        if name.startswith("ai_edge"):
            raise ModuleNotFoundError(name)
        return SimpleNamespace(Interpreter=dict)

    assert find_library(import_module, lambda _: "2.14.0") == Library("tflite-runtime 2.14.0", dict, tolerance=4)
