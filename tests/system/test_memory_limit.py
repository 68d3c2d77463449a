"""``watch`` with ``compact`` inside 256 MB, enforced by this machine's kernel; ``memory_limit``: on a small board's."""

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.material import synthetic_files
from tests.system.memory_group import CannotLimitError, Group, limited

ROOT = Path(__file__).parents[2]
LIMIT = 256 << 20
SMALL, FULL_SIZE, ROWS = 100, 8, 2048
HOG = "held = bytearray(300 << 20); held[::4096] = b'x' * len(held[::4096])"
ENVIRONMENT = os.environ | {"PYTHONPATH": str(ROOT)}


@pytest.fixture
def group() -> Iterator[Group]:
    try:
        with limited(LIMIT) as group:
            yield group
    except CannotLimitError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("limit") / "in"
    folder.mkdir()
    for name, count, side in (("small", SMALL, 224), ("full", FULL_SIZE, ROWS)):
        for number, data in enumerate(synthetic_files(count, side)):
            (folder / f"{name}-{number:03}.jpeg").write_bytes(data)
    return folder


def test_small_and_full_size_radiographs_are_answered_with_heat_maps_inside_the_limit(
    group: Group, folder: Path, tmp_path: Path
) -> None:
    results = tmp_path / "results"
    words = ("watch", folder, "--results", results, "--once", "--bundle", "compact", "--settle", "0")
    process = group.start(sys.executable, "-m", "edge_runtime", *words, environment=ENVIRONMENT)
    said, _ = process.communicate(timeout=300)
    findings = [json.loads(path.read_text()) for path in results.glob("*.json")]

    assert process.returncode == 0, said
    assert len(findings) == SMALL + FULL_SIZE
    assert {finding["status"] for finding in findings} == {"classified"}
    assert len(list(results.glob("*heatmap*"))) == SMALL + FULL_SIZE
    assert group.kills == 0
    assert group.peak <= LIMIT


def test_the_limit_kills_what_takes_more(group: Group) -> None:
    process = group.start(sys.executable, "-c", HOG, environment=ENVIRONMENT)
    process.communicate(timeout=300)

    assert process.returncode == -9
    assert group.kills == 1
