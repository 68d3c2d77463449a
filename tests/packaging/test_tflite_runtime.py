"""The older engine, in an environment of its own: Python 3.11 and numpy 1 alone."""

import sys
from pathlib import Path

import pytest

from tests.packaging.places import ROOT, SAMPLES, findings


@pytest.fixture(scope="module")
def program() -> Path:
    path = ROOT / ".venv-tflite-runtime" / "bin" / "edge-pneumo"
    if not path.exists():
        pytest.skip("needs .venv-tflite-runtime, which `make test` makes where there is a Python 3.11")
    return path


def test_golden_vectors_are_reproduced(program: Path) -> None:
    (report,) = findings([program, "verify", "--json"])

    assert report["engine"].startswith("tflite-runtime ")
    assert report["reproduced"], report


def test_findings_are_those_of_ai_edge_litert(program: Path) -> None:
    older = findings([program, "classify", "--json", *SAMPLES])

    newer = findings([sys.executable, "-m", "edge_runtime", "classify", "--json", *SAMPLES])

    assert {answer["engine"].partition(" ")[0] for answer in older} == {"tflite-runtime"}
    assert {answer["engine"].partition(" ")[0] for answer in newer} == {"ai-edge-litert"}
    assert [answer["label"] for answer in older] == [answer["label"] for answer in newer]
    # Its OpenCV is the last one for numpy 1, and may resize a pixel to another grey level.
    assert [answer["probability"] for answer in older] == pytest.approx(
        [answer["probability"] for answer in newer], abs=0.02
    )
