import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks import engines
from benchmarks.engines import Result, Row
from benchmarks.peers import PEAK
from benchmarks.timing import Timed
from edge_runtime.model import bundle

RESULT = Result(
    "full",
    1,
    15_300_000_000,
    (
        Row("litert", "ai-edge-litert 2", Timed(80.0, 90.0, 1.0), 190e9),
        Row("openvino", "openvino 9", Timed(60.0, 70.0, 0.75), 255e9),
        Row(PEAK, "the fastest int8 convolution", Timed(50.0, 51.0, 0.62), 306e9),
    ),
    {"torch-int8": "not installed: No module named 'torch'; pip install torch"},
)


def test_the_table_is_sorted_and_ends_with_the_floor_and_what_is_left_out() -> None:
    lines = engines.table(RESULT).splitlines()

    assert lines[1] == "full, 15.30 G multiply-adds, 1 thread"
    assert lines[3].split() == ["openvino", "9", "60.00", "70.00", "0.75", "255"]
    assert lines[4].split() == ["ai-edge-litert", "2", "80.00", "90.00", "1.00", "190"]
    assert lines[5].startswith("floor: 50.00 ms, 0.62 of LiteRT int8: ")
    assert lines[6] == "left out: torch-int8 (not installed: No module named 'torch'; pip install torch)"
    assert len(lines) == 7


def test_without_a_peak_the_table_says_what_stands_for_it() -> None:
    assert "floor: not measured" in engines.table(replace(RESULT, rows=RESULT.rows[:2]))


def test_golden_labels_are_those_of_the_golden_outputs(tiny_bundle: Path) -> None:
    opened = bundle.read(tiny_bundle)

    assert engines.golden_labels(opened) == [False, False, True]  # dark, just below the middle grey, bright
    assert engines.labels(opened, np.array([[9.0, 0.0, 0.0], [0.0, 0.0, 0.0]])) == [False, True]


def test_peers_are_timed_beside_litert_in_one_run(
    default_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--bundle", str(default_bundle), "--threads", "1", "--peers", "litert-float32", "tflite-runtime"]
    words += ["--rounds", "1", "--inferences", "1", "--json", str(tmp_path / "result.json")]

    status = engines.main(words)

    (result,) = json.loads((tmp_path / "result.json").read_text())
    printed = capsys.readouterr().out
    assert status == 0
    assert (result["bundle"], result["threads"]) == (bundle.read(default_bundle).info.name, 1)
    assert result["rows"][0]["peer"] == "litert"
    assert result["rows"][0]["timed"]["ratio"] == 1.0
    # Either timed or left out with the reason; which of the two depends on what is installed.
    told = {row["peer"] for row in result["rows"]} | result["left_out"].keys()
    assert told == {"litert", "litert-float32", "tflite-runtime", "peak"}
    assert all(f"left out: {name} (" in printed for name in result["left_out"])


def test_a_bundle_of_another_network_is_one_sentence(tiny_bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert engines.main(["--bundle", str(tiny_bundle), "--threads", "1"]) == 2
    assert capsys.readouterr().err.startswith("error: the model has an operator ")


@pytest.mark.parametrize("text", ["torch-int8", "torch-int8=/no/such/python", "other=/bin/sh"])
def test_a_wrong_python_is_refused(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        engines.main(["--python", text])
    assert "is not the name of a peer" in capsys.readouterr().err
