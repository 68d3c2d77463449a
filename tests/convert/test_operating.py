import json
from pathlib import Path
from typing import Any

import pytest

from convert import operating
from edge_runtime.errors import UsageError


def _write(folder: Path, name: str, record: Any) -> None:
    (folder / name).write_text(json.dumps(record))


def test_without_a_file_the_threshold_is_one_half(tmp_path: Path) -> None:
    found = operating.read(tmp_path)

    assert (found.temperature, found.points, found.threshold) == (1.0, {"balanced": 0.5}, 0.5)


def test_the_report_of_a_training_run_is_read(tmp_path: Path) -> None:
    _write(tmp_path, "metrics.json", {"temperature": 0.8, "threshold": 0.4, "validation": {}})

    found = operating.read(tmp_path)

    assert (found.temperature, found.points) == (0.8, {"balanced": 0.4})


def test_several_points_are_read_and_come_before_metrics(tmp_path: Path) -> None:
    points = {"balanced": {"threshold": 0.5}, "screening": {"threshold": 0.1}}
    _write(tmp_path, "operating.json", {"operating_points": points, "default_operating_point": "screening"})
    _write(tmp_path, "metrics.json", {"temperature": 3.0})

    found = operating.read(tmp_path, temperature=1.5)

    assert found.temperature == 1.5
    assert found.points == {"balanced": 0.5, "screening": 0.1}
    assert found.threshold == 0.1


def test_the_uncertain_band_is_read(tmp_path: Path) -> None:
    _write(tmp_path, "metrics.json", {"uncertain": {"low": 0.05, "high": 0.75, "validation": {}}})

    assert operating.read(tmp_path).uncertain == (0.05, 0.75)


def test_without_a_band_none_is_known(tmp_path: Path) -> None:
    _write(tmp_path, "metrics.json", {"threshold": 0.4})

    assert operating.read(tmp_path).uncertain is None


@pytest.mark.parametrize(
    "record",
    [
        [],
        {"temperature": "warm"},
        {"temperature": 0},
        {"temperature": float("nan")},
        {"threshold": 1.5},
        {"operating_points": {"balanced": {}}},
        {"default_operating_point": "other"},
        {"uncertain": {"low": 0.1}},
        {"uncertain": [0.1, 0.9]},
        {"uncertain": {"low": 0.9, "high": 0.1}},
        {"uncertain": {"low": 0.6, "high": 0.9}},
        {"uncertain": {"low": -0.1, "high": 0.9}},
    ],
)
def test_what_makes_no_sense_is_refused(tmp_path: Path, record: Any) -> None:
    _write(tmp_path, "operating.json", record)

    with pytest.raises(UsageError, match=r"operating\.json"):
        operating.read(tmp_path)
