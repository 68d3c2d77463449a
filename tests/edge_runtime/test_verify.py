import json
from itertools import count
from pathlib import Path

import numpy as np
import pytest

from edge_runtime.cli import main
from edge_runtime.clock import SYSTEM_CLOCK, Clock
from edge_runtime.model import bundle
from edge_runtime.model.bundle import Golden
from edge_runtime.model.classifier import is_reproduced, verify_golden
from edge_runtime.verify import inference_milliseconds
from tests.engines import ScriptedEngine, bundle_without_model


@pytest.fixture
def other_bundle(tiny_bundle: Path, tmp_path: Path) -> Path:
    """The tiny bundle with golden vectors that it does not reproduce."""
    good = bundle.read(tiny_bundle)
    scores = good.golden.scores.copy()
    scores[1, 0] += 3
    path = tmp_path / "other.tflite"
    bundle.write(
        path,
        good.tflite,
        good.info,
        golden=Golden(good.golden.pixels, scores, good.golden.maps, good.golden.features),
        parity={},
        calibration={},
        gate=good.gate,
    )
    return path


def test_a_machine_that_reproduces_the_vectors_passes(tiny_bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status = main(["verify", "--bundle", str(tiny_bundle), "--threads", "1"])

    printed = capsys.readouterr().out
    assert status == 0
    assert "engine      ai-edge-litert" in printed
    assert "3 of 3 golden vectors identical, largest difference 0 (allowed: 0 steps)" in printed
    assert " ms (median of " in printed
    assert "This machine computes what the converter computed." in printed


def test_a_machine_that_does_not_fails(other_bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status = main(["verify", "--bundle", str(other_bundle)])

    printed = capsys.readouterr().out
    assert status == 1
    assert "2 of 3 golden vectors identical, largest difference 3" in printed
    assert "does NOT compute" in printed


def test_json_says_the_same(other_bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status = main(["verify", "--bundle", str(other_bundle), "--threads", "2", "--json"])

    result = json.loads(capsys.readouterr().out)
    assert status == 1
    assert result["model"] == {"name": "tiny", "sha256": bundle.read(other_bundle).sha256}
    assert result["engine"].endswith(", 2 threads")
    assert (result["vectors"], result["identical"], result["largest_difference"]) == (3, 2, 3)
    assert (result["tolerance"], result["reproduced"]) == (0, False)
    assert result["inference_milliseconds"] > 0
    assert 1 <= result["timed_inferences"] <= 30


@pytest.mark.parametrize(("tolerance", "reproduced"), [(0, False), (4, False), (5, True)])
def test_an_engine_may_be_allowed_a_difference(tolerance: int, *, reproduced: bool) -> None:
    engine = ScriptedEngine([0, 5, 0], np.zeros((14, 14, 3), np.int8), tolerance=tolerance)

    report = verify_golden(engine, bundle_without_model().golden)

    assert is_reproduced(report, engine) == reproduced


def test_slow_inferences_are_timed_for_three_seconds_only() -> None:
    ticks = count()
    slow = Clock(now=SYSTEM_CLOCK.now, seconds=lambda: next(ticks) * 0.5)
    engine = ScriptedEngine([0, 0, 0])

    times = list(inference_milliseconds(engine, bundle_without_model().golden, slow))

    assert 1 <= len(times) < 30
    assert len(engine.seen) == len(times)
    assert set(times) == {500.0}
