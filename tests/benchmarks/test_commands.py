"""Each command measures what it says, here on very little: the figures mean nothing."""

import re
from pathlib import Path

import pytest

from benchmarks import growth, memory, pipeline, prepare, startup, wear
from benchmarks.material import ratio, synthetic_files

NUMBER = r"[0-9.]+"
RATIO = rf"{NUMBER} \({NUMBER} to {NUMBER}\)"


def test_pipeline(tiny_bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pipeline.main(["--bundle", str(tiny_bundle), "--files", "4", "--rounds", "1", "--arriving", "1"])

    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("4 files, model tiny, ai-edge-litert")
    assert [line.partition(":")[0] for line in lines[2:5]] == ["bare", "watch", "watch with heat maps"]
    assert all(
        re.fullmatch(rf".*: {NUMBER} ms a file; throughput over the floor's {RATIO}", line) for line in lines[2:5]
    )
    latency = (
        rf"settling 0.2 s \+ {NUMBER} ms; over the floor {RATIO}; "
        rf"over the floor and the forced writes alone \({NUMBER} ms\) {RATIO}$"
    )
    assert all(re.search(latency, line) for line in lines[5:])
    assert len(lines) == 7


def test_startup(tiny_bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    startup.main(["--bundle", str(tiny_bundle), "--rounds", "1", "--side", "300"])

    lines = capsys.readouterr().out.splitlines()
    assert [line.partition(":")[0] for line in lines[1:]] == [
        "floor",
        "classify",
        "classify --json",
        "interpreter alone",
    ]
    assert "over the floor 1.000 (1.000 to 1.000)" in lines[1]


def test_memory(tiny_bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    memory.main(["--bundle", str(tiny_bundle), "--images", "20", "--files", "3"])

    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("model tiny, one thread, 20 images")
    assert re.fullmatch(rf"floor {NUMBER} MB; watch at its peak {NUMBER} MB: -?{NUMBER} MB above it", lines[1])
    assert re.fullmatch(rf"its decoder's process: {NUMBER} MB of its own", lines[2])
    assert re.match(rf"slope [+-]{NUMBER} MB per 1,000 images", lines[3])


def test_growth(tiny_bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    growth.main(["--bundle", str(tiny_bundle), "--kept", "3000", "--in-folder", "50", "--files", "20", "--rounds", "1"])

    lines = capsys.readouterr().out.splitlines()
    assert "3,000 findings, 50 files" in lines[0]
    assert re.fullmatch(rf"start with all answered: {NUMBER} s", lines[1])
    assert [line.partition(":")[0] for line in lines[3:]] == ["an image by the clock", "an image of the processor"]


def test_prepare(tiny_bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    prepare.main(["--bundle", str(tiny_bundle), "--files", "2", "--rounds", "1", "--side", "1000"])

    lines = {line.partition(":")[0]: line for line in capsys.readouterr().out.splitlines()}
    reduced = {way: int(re.search(r": ([0-9]+) reduced", line)[1]) for way, line in lines.items() if "reduced" in line}  # type: ignore[index]
    assert reduced == {
        "full decode": 0,
        "the program's rule": 0,  # a half would be 643 pixels wide
        "a half, if each side keeps 2 inputs": 2,
        "a half, if each side keeps 1.5 inputs": 2,
        "1/2": 2,
        "1/4": 2,
        "1/8": 2,
    }
    assert (
        "full decode: 0 reduced; 1.00 times as fast; same label 2; probability moved by 0.000" in lines["full decode"]
    )


def test_no_two_synthetic_files_are_the_same() -> None:
    files = list(synthetic_files(30, 224))

    assert len(set(files)) == 30


def test_the_ratio_is_of_what_was_measured_together() -> None:
    assert ratio([2.0, 30.0, 400.0], [1.0, 10.0, 100.0]) == "3.000 (2.000 to 4.000)"
    assert ratio([1.0, 2.0, 3.0, 4.0, 5.0], [1.0] * 5) == "3.000 (1.500 to 4.500)"


def test_wear(tiny_bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wear.main(["--bundle", str(tiny_bundle), "--files", "8"])

    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("8 files, model tiny; counted: ")
    wholes = [float(re.findall(rf"({NUMBER}) KiB a radiograph", line)[0]) for line in lines[1:]]
    kept = [float(re.findall(rf"kept ({NUMBER}) KiB", line)[0]) for line in lines[1:]]
    assert [line.partition(":")[0] for line in lines[1:]] == [
        "without heat maps, one at a time",
        "without heat maps, groups of up to 16",
        "with heat maps, one at a time",
        "with heat maps, groups of up to 16",
    ]
    assert all(whole >= 0 for whole in wholes)
    assert min(kept[2:]) > max(kept[:2]) > 0
