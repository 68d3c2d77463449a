import json
from dataclasses import replace
from pathlib import Path

import pytest

from edge_runtime.bench import share
from edge_runtime.bench.share import Row, markdown, measure_device
from edge_runtime.board.temperature import Temperature
from edge_runtime.board.throttling import Reading
from edge_runtime.clock import SYSTEM_CLOCK
from edge_runtime.errors import UsageError
from tests.bundles import remake
from tests.edge_runtime.bench.test_device import raspberry_pi

COOL = Reading(frozenset(), frozenset(), Temperature(48.04, 80.0), 1.0, None, True)
HOT = replace(COOL, now=frozenset({"throttled"}), temperature=Temperature(83.6, 80.0))


@pytest.fixture(scope="module")
def row(tiny_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Row:
    root = raspberry_pi(tmp_path_factory.mktemp("root"))
    readings = iter([COOL, HOT])
    return measure_device(
        SYSTEM_CLOCK, seconds=0.1, bundles=[tiny_bundle], root=root, read_board=lambda: next(readings)
    )


def test_row_holds_every_stage_and_what_held_the_processor_back(row: Row) -> None:
    (one,) = row.measured

    assert {"decode", "prepare", "screen", "infer", "heat map", "write"} <= set(one.milliseconds) <= set(share.STAGES)
    assert all(0 < times.low <= times.median <= times.high for times in one.milliseconds.values())
    assert (one.model, one.reproduced, row.is_good) == ("tiny", True, True)
    assert one.engine.startswith("ai-edge-litert ")
    assert (row.held_back, row.celsius) == (("throttled",), (48.0, 83.6))


def test_its_lines_fit_the_table(row: Row) -> None:
    (line,) = markdown(row)

    assert line.count("|") == share.HEADER[0].count("|") == share.HEADER[1].count("|")
    assert line.startswith("| Raspberry Pi 4 Model B Rev 1.5: ")
    assert " x Cortex-A72, 1800 MHz, 4.0 GB | debian 12, Linux " in line
    assert line.endswith("| throttled; 84 °C |")


def test_nothing_tells_whose_machine_it_is(row: Row, tmp_path: Path) -> None:
    written = share.write(row, tmp_path).read_text()

    for name in ("anna", "1000000000000000", str(tmp_path)):  # what raspberry_pi planted
        assert name not in written.lower()
        assert name not in "".join(markdown(row)).lower()


def test_file_is_called_after_the_board_and_the_day(row: Row, tmp_path: Path) -> None:
    file = share.write(row, tmp_path)

    assert file.name == f"edge-pneumo-raspberry-pi-4-model-b-rev-1-5-{row.day}.json"
    assert json.loads(file.read_text())["schema"] == "edge-pneumo/device/1"


def test_folder_that_cannot_be_written_is_told_in_a_sentence(row: Row, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"cannot be written .* go to a folder that you may write to"):
        share.write(row, tmp_path / "missing")


def test_engine_that_differs_is_told_in_the_row(tiny_bundle: Path, tmp_path: Path) -> None:
    lying = remake(tiny_bundle, tmp_path / "lying.tflite", golden_off=1)

    row = measure_device(SYSTEM_CLOCK, seconds=0.1, bundles=[lying], read_board=lambda: COOL)

    assert not row.is_good
    assert "golden vectors NOT reproduced" in markdown(row)[0]
    assert markdown(row)[0].endswith("| no; 48 °C |")


def test_rows_are_those_of_the_table_they_are_for() -> None:
    page = (Path(__file__).parents[3] / "docs" / "devices.md").read_text()

    assert "\n".join(share.HEADER) in page
