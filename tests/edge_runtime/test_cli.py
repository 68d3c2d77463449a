import json
import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge_runtime.cli import main

MODULES_AFTER = """
import sys
from edge_runtime.cli import main
status = main(sys.argv[1:])
print(" ".join(sorted(sys.modules)), file=sys.stderr)
sys.exit(status)
"""


@pytest.fixture
def radiograph(tmp_path: Path) -> Path:
    path = tmp_path / "a.png"
    path.write_bytes(bytes(cv2.imencode(".png", np.full((300, 400), 200, np.uint8))[1]))
    return path


def modules_after(*words: Path | str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", MODULES_AFTER, *map(str, words)], capture_output=True, text=True, check=True
    )
    return {name.split(".")[0] for name in done.stderr.splitlines()[-1].split()}


def test_classify_imports_neither_tensorflow_nor_keras(tiny_bundle: Path, radiograph: Path) -> None:
    loaded = modules_after("classify", radiograph, "--bundle", tiny_bundle)

    assert {"ai_edge_litert", "cv2", "numpy"} <= loaded
    assert loaded.isdisjoint({"tensorflow", "keras", "jax", "torch", "train", "convert", "matplotlib"})


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_one_radiograph_does_without_what_takes_long_to_load(
    tiny_bundle: Path, radiograph: Path, options: list[str]
) -> None:
    loaded = modules_after("classify", radiograph, *options, "--bundle", tiny_bundle)

    assert loaded.isdisjoint({"rich", "watchdog", "sqlite3", "email", "tempfile", "subprocess", "asyncio"})


def test_verify_does_without_rich_and_watchdog(tiny_bundle: Path) -> None:
    assert modules_after("verify", "--bundle", tiny_bundle).isdisjoint({"rich", "watchdog", "tensorflow", "keras"})


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["diagnose"],
        ["classify"],
        ["classify", "x.png", "--threads", "0"],
        ["classify", "x.png", "--threads", "many"],
        ["verify", "--unknown"],
    ],
)
def test_wrong_words_are_wrong_usage(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(words)

    assert caught.value.code == 2
    assert "usage: edge-pneumo" in capsys.readouterr().err


def test_help_names_the_commands_and_what_this_is_not(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["--help"])

    printed = capsys.readouterr().out
    assert caught.value.code == 0
    assert all(command in printed for command in ("classify", "watch", "status", "verify"))
    assert "Research software, not a medical device." in printed


def test_version_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["--version"])

    assert caught.value.code == 0
    assert capsys.readouterr().out.startswith("edge-pneumo ")


def test_a_missing_bundle_is_one_sentence(radiograph: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status = main(["classify", str(radiograph), "--bundle", str(tmp_path / "none.tflite")])

    err = capsys.readouterr().err
    assert status == 2
    assert err.startswith("error: there is no model bundle at ")
    assert err.count("\n") == 1


def test_a_damaged_bundle_is_one_sentence(
    tiny_bundle: Path, radiograph: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = bytearray(tiny_bundle.read_bytes())
    data[2000] ^= 0xFF
    broken = tmp_path / "broken.tflite"
    broken.write_bytes(data)

    assert main(["classify", str(radiograph), "--bundle", str(broken)]) == 2
    assert "damaged: the model's checksum is not the recorded one" in capsys.readouterr().err


def test_a_missing_path_is_wrong_usage(tiny_bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["classify", "no-such.png", "--bundle", str(tiny_bundle)]) == 2
    assert capsys.readouterr().err == "error: no-such.png does not exist; check its spelling\n"


def test_an_unknown_operating_point_is_wrong_usage(
    tiny_bundle: Path, radiograph: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["classify", str(radiograph), "--bundle", str(tiny_bundle), "--operating-point", "strict"]

    assert main(words) == 2
    assert "no operating point 'strict'; choose from balanced, screening" in capsys.readouterr().err


@pytest.fixture
def as_a_module(tiny_bundle: Path, radiograph: Path) -> list[str]:
    """The command for a process of its own."""
    words = ["classify", radiograph, "--json", "--bundle", tiny_bundle]
    return [sys.executable, "-m", "edge_runtime", *map(str, words)]


def test_a_reader_that_leaves_early_is_no_error(as_a_module: list[str]) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    try:
        done = subprocess.run(as_a_module, stdout=writer, stderr=subprocess.PIPE, text=True, check=False)
    finally:
        os.close(writer)

    assert done.returncode == 141
    assert done.stderr == ""


def test_the_package_runs_as_a_module(as_a_module: list[str]) -> None:
    done = subprocess.run(as_a_module, capture_output=True, text=True, check=False)

    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["label"] == "PNEUMONIA"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_output_for_which_there_is_no_room_is_a_sentence(as_a_module: list[str]) -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(as_a_module, stdout=full, stderr=subprocess.PIPE, text=True, check=False)

    sentence = "error: the output cannot be written (No space left on device); make room there\n"
    assert (done.returncode, done.stderr) == (2, sentence)


def test_the_process_ends_with_what_the_command_says(as_a_module: list[str], radiograph: Path) -> None:
    radiograph.write_bytes(b"no picture")

    done = subprocess.run(as_a_module, capture_output=True, text=True, check=False)

    assert (done.returncode, json.loads(done.stdout)["status"], done.stderr) == (1, "rejected", "")
