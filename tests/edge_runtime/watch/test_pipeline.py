"""The inference does not wait for the gate where nothing else is to be inferred, and what the gate finds holds."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge_runtime.finding import Finding
from edge_runtime.gate import Gate, Screened, Screening, screened
from edge_runtime.model import bundle
from edge_runtime.model.classifier import Classifier
from edge_runtime.watch.answering import watch
from tests.edge_runtime.pictures import DARK, picture, put
from tests.engines import ScriptedEngine


class Slow:
    """A look through the gate that is not over before the engine has been asked."""

    def __init__(self, engine: ScriptedEngine, found: Screened) -> None:
        self._engine, self._found = engine, found

    def is_ready(self) -> bool:
        return False

    def result(self) -> tuple[Screened, float]:
        assert self._engine.seen, "the inference waited for it"
        return self._found, 1.0


def answers(
    tmp_path: Path, tiny_bundle: Path, reason: str | None, *, is_negative: bool
) -> tuple[Finding, ScriptedEngine]:
    """What is found of one file, and what was asked."""
    heard: list[Finding] = []
    opened = bundle.read(tiny_bundle)
    engine = ScriptedEngine([9, 0, 0], features=np.zeros(opened.gate.features.mean.shape, np.int8))

    def screen(grey: NDArray[np.uint8], _gate: Gate) -> Screening:
        return Slow(engine, screened(grey, 0.5 if reason is None else 2.0, reason, is_negative=is_negative))

    class Heard:
        def accept(self, finding: Finding) -> None:
            heard.append(finding)

    put(tmp_path / "in" / "a.png", picture(DARK))
    classifier = Classifier(opened, engine)
    watch(
        tmp_path / "in",
        tmp_path / "out",
        classifier,
        once=True,
        heatmaps=False,
        settle=0.0,
        sinks=[Heard()],
        screen=screen,
    )
    (finding,) = heard
    return finding, engine


def test_what_passes_is_inferred_once(tmp_path: Path, tiny_bundle: Path) -> None:
    finding, engine = answers(tmp_path, tiny_bundle, None, is_negative=False)

    assert (finding.status, finding.label, len(engine.seen)) == ("classified", "NORMAL", 1)
    assert finding.milliseconds["screen"] == 1.0


def test_what_is_refused_is_refused_although_it_was_inferred(tmp_path: Path, tiny_bundle: Path) -> None:
    finding, engine = answers(tmp_path, tiny_bundle, "not a radiograph", is_negative=False)

    assert (finding.status, finding.reason, len(engine.seen)) == ("rejected", "not a radiograph", 1)
    assert "infer" not in finding.milliseconds


def test_a_negative_is_inferred_again_as_a_positive(tmp_path: Path, tiny_bundle: Path) -> None:
    finding, engine = answers(tmp_path, tiny_bundle, None, is_negative=True)

    assert (finding.status, len(engine.seen), len(finding.notes)) == ("classified", 2, 1)
    np.testing.assert_array_equal(engine.seen[1], 255 - engine.seen[0])
