"""The device wheel under a Raspberry Pi's Debian, Python and packages, emulated as its processor.

What must be equal to this machine's findings: every field but the two times, the time of each stage, the engine's name
and the heat map's path. ``distance`` is computed in real numbers and may be off by 1 in its last, fourth decimal.
tflite-runtime rounds otherwise: its golden vectors are held to its tolerance, its probabilities to 0.02, how they
divide between the types to 0.05, and its distances to 0.2.
"""

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from edge_runtime.finding import HEATMAP_SUFFIX
from tests.arm64.conftest import THOROUGH
from tests.arm64.devices import SAMPLES, Answers, Here, printed

NOT_COMPARED = {"received", "finished", "milliseconds", "engine", "heatmap"}
ABOUT = {"probability": 0.02, "types": 0.05, "distance": 0.2}  # under tflite-runtime

_PROBE = """
import platform, subprocess, sys
def processor():
    return platform.machine(), [line.split()[-1] for line in open("/proc/cpuinfo") if line.startswith("CPU part")]
def child():
    code = "import platform; print(platform.machine(), [l.split()[-1] for l in open('/proc/cpuinfo') if 'part' in l])"
    return subprocess.run([sys.executable, "-S", "-E", "-c", code], check=True, capture_output=True, text=True).stdout
print(*processor()); print(child())
"""


def test_it_and_what_it_starts_run_as_the_board(answers: Answers) -> None:
    result = answers.device.python("-c", _PROBE)

    part = {"cortex-a72": "0xd08", "cortex-a76": "0xd0b"}[answers.device.board.cpu]
    assert result.stdout.split("\n")[:2] == [f"aarch64 {[part] * 4}"] * 2, result.stderr


def test_golden_vectors_are_the_converters(answers: Answers) -> None:
    (report,) = printed(answers.verify.result())

    name = "ai-edge-litert " if answers.device.is_exact else "tflite-runtime "
    assert report["engine"].startswith(name)
    assert report["reproduced"], report
    if answers.device.is_exact:
        assert (report["identical"], report["largest_difference"]) == (report["vectors"], 0)


def test_findings_are_this_machines(answers: Answers, here: Here) -> None:
    there = printed(answers.classify.result())

    assert [comparable(finding, answers) for finding in there] == [
        comparable(finding, answers) for finding in here.findings
    ]
    for found, expected in zip(there, here.findings, strict=True):
        assert_numbers_agree(found, expected, answers)


def test_watcher_finds_the_same_and_decodes_in_a_process_of_its_own(answers: Answers, here: Here) -> None:
    result = answers.watch.result()

    assert result.returncode == 0, result.stderr
    assert "no process of its own can decode" not in result.stdout + result.stderr
    for expected in here.findings[: len(SAMPLES)]:
        name = Path(expected["source"]).name
        found = json.loads((answers.results / f"{name}.json").read_text())
        assert Path(found["source"]).name == name
        assert comparable({**found, "source": ""}, answers) == comparable({**expected, "source": ""}, answers)
        assert_numbers_agree(found, expected, answers)


def test_heat_maps_look_the_same(answers: Answers, here: Here) -> None:
    answers.watch.result()

    for sample in SAMPLES[::4]:
        there = levels(answers.results / f"{sample.name}{HEATMAP_SUFFIX}")
        expected = levels(here.heatmaps / f"{sample.name}{HEATMAP_SUFFIX}")
        difference = np.abs(there - expected)
        assert there.shape == expected.shape
        # Of 255 levels. OpenCV enlarges real numbers otherwise, which the square root of weak evidence makes a step or
        # two of; tflite-runtime's map itself is another by a step or two.
        assert np.mean(difference > 2) < (0.005 if answers.device.is_exact else 1.0)
        assert np.mean(difference) < (0.5 if answers.device.is_exact else 5.0)


@pytest.mark.skipif(not THOROUGH, reason="minutes for each board; `make test-arm64` does it")
@pytest.mark.timeout(3600)
def test_golden_vectors_of_the_full_model_are_the_converters(answers: Answers) -> None:
    if answers.verify_full is None:
        pytest.skip("tflite-runtime is refused with it on every machine (docs/converting.md)")
    (report,) = printed(answers.verify_full.result())

    assert report["model"]["name"] == "full"
    assert report["reproduced"], report
    assert (report["identical"], report["largest_difference"]) == (report["vectors"], 0)


def levels(png: Path) -> NDArray[np.int64]:
    picture = cv2.imread(str(png))
    assert picture is not None
    return picture.astype(np.int64)


def comparable(finding: dict[str, Any], answers: Answers) -> dict[str, Any]:
    """What must be equal to the last character."""
    numbers = {"distance"} if answers.device.is_exact else set(ABOUT)
    return {key: value for key, value in finding.items() if key not in NOT_COMPARED | numbers}


def assert_numbers_agree(found: dict[str, Any], expected: dict[str, Any], answers: Answers) -> None:
    if answers.device.is_exact:
        assert found["distance"] == pytest.approx(expected["distance"], abs=1.5e-4, rel=0)
        return
    for key, tolerance in ABOUT.items():
        assert found[key] == pytest.approx(expected[key], abs=tolerance, rel=0), key
