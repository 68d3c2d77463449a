import json
import os
import pty
import subprocess
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from edge_runtime.classify import find_images, save_heatmap
from edge_runtime.cli import main
from edge_runtime.errors import UsageError
from edge_runtime.finding import from_json
from tests.edge_runtime.nobody import folder_of_nobody


def write_png(path: Path, level: int) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(bytes(cv2.imencode(".png", np.full((300, 400), level, np.uint8))[1]))
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_png(tmp_path / "in" / "bright.png", 220)
    write_png(tmp_path / "in" / "sub" / "dark.PNG", 30)
    return tmp_path / "in"


@pytest.fixture
def classify(tiny_bundle: Path) -> Any:
    def call(*words: Path | str) -> int:
        return main(["classify", *map(str, words), "--bundle", str(tiny_bundle), "--threads", "1"])

    return call


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_json_is_one_finding_a_line(classify: Any, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status = classify(folder, "--json")

    out = capsys.readouterr().out.splitlines()
    findings = [from_json(line) for line in out]
    assert status == 0
    assert [finding.source for finding in findings] == [str(folder / "bright.png"), str(folder / "sub" / "dark.PNG")]
    assert [finding.label for finding in findings] == ["PNEUMONIA", "NORMAL"]
    stages = {"read", "decode", "prepare", "screen", "infer", "total"}
    assert all(set(finding.milliseconds) == stages for finding in findings)
    assert all(finding.received <= finding.finished for finding in findings)
    assert all(finding.heatmap is None for finding in findings)


def test_a_rejected_file_makes_the_status_one_and_stops_nothing(
    classify: Any, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "aaa.jpeg").write_bytes(b"")

    status = classify(folder, "--json")

    assert status == 1
    assert [(line["status"], line["reason"]) for line in lines(capsys)] == [
        ("rejected", "empty file"),
        ("classified", None),
        ("classified", None),
    ]


def test_a_file_that_is_named_is_tried_whatever_it_is_called(
    classify: Any, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    odd = (folder / "bright.png").rename(folder / "radiograph.dat")

    assert classify(odd, "--json") == 0
    assert lines(capsys)[0]["label"] == "PNEUMONIA"


def test_a_file_that_cannot_be_read_is_rejected(
    classify: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    dangling = tmp_path / "a.png"
    dangling.symlink_to("nowhere")

    assert classify(dangling, "--json") == 1
    finding = lines(capsys)[0]
    assert finding["reason"] == "cannot be read: no such file or directory"
    assert finding["sha256"] is None


def test_the_operating_point_moves_the_decision(
    classify: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    grey = write_png(tmp_path / "grey.png", 105)  # between the two thresholds

    classify(grey, "--json")
    classify(grey, "--json", "--operating-point", "screening")

    assert [line["label"] for line in lines(capsys)] == ["NORMAL", "PNEUMONIA"]


def test_the_table_shows_answers_reasons_and_what_this_is_not(
    classify: Any, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "[bold]odd.png").write_bytes(b"x")

    status = classify(folder)

    printed = capsys.readouterr()
    rows = {
        line.split()[0].rsplit("/", 1)[-1]: line for line in printed.out.splitlines() if line.strip().startswith("/")
    }
    assert status == 1
    assert "PNEUMONIA" in rows["bright.png"]
    assert "NORMAL" in rows["dark.PNG"]
    assert "rejected: neither a JPEG nor a PNG file" in printed.out
    assert "[bold]odd.png" in printed.out
    assert "2 classified (1 PNEUMONIA, 1 NORMAL), 1 rejected" in printed.out
    assert "model tiny, operating point balanced (PNEUMONIA from 0.5), ai-edge-litert" in printed.out
    assert "Research software, not a medical device." in printed.out
    assert printed.err == ""


def test_a_long_path_is_not_broken_where_a_program_reads(
    classify: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_png(tmp_path / ("x" * 150) / "a.png", 200)

    classify(path)

    assert str(path) in capsys.readouterr().out


def test_a_terminal_sees_a_progress_bar(tiny_bundle: Path, folder: Path) -> None:
    command = [sys.executable, "-m", "edge_runtime", "classify", str(folder), "--bundle", str(tiny_bundle)]
    reader, terminal = pty.openpty()
    try:
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=terminal, env=os.environ | {"TERM": "xterm"}
        ) as process:
            out, _ = process.communicate(timeout=120)
        seen = os.read(reader, 100_000)
    finally:
        os.close(terminal)
        os.close(reader)

    assert process.returncode == 0
    assert b"classifying" in seen
    assert b"2/2" in seen
    assert b"classifying" not in out


def test_heat_maps_are_written_and_named(classify: Any, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "broken.png").write_bytes(b"")
    target = folder.parent / "maps" / "here"

    classify(folder, "--json", "--heatmap", target)

    named = {Path(line["source"]).name: line["heatmap"] for line in lines(capsys)}
    assert named == {
        "bright.png": str(target / "bright.png.heatmap.png"),
        "broken.png": None,
        "dark.PNG": str(target / "dark.PNG.heatmap.png"),
    }
    assert sorted(path.name for path in target.iterdir()) == ["bright.png.heatmap.png", "dark.PNG.heatmap.png"]
    picture = cv2.imread(str(target / "bright.png.heatmap.png"))
    assert picture is not None
    assert picture.shape[0] > 384


def test_heat_maps_are_no_radiographs(classify: Any, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    classify(folder, "--json", "--heatmap", folder)
    capsys.readouterr()

    classify(folder, "--json")

    assert len(lines(capsys)) == 2


def test_equal_names_get_heat_maps_of_their_own(
    classify: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one, two = write_png(tmp_path / "1" / "a.png", 220), write_png(tmp_path / "2" / "a.png", 160)

    for _ in range(2):
        classify(one, two, "--json", "--heatmap", tmp_path / "maps")

        assert [Path(line["heatmap"]).name for line in lines(capsys)] == ["a.png.heatmap.png", "a.png.2.heatmap.png"]
    assert len(list((tmp_path / "maps").iterdir())) == 2


def test_save_heatmap_overwrites_nothing(tmp_path: Path) -> None:
    other = tmp_path / "a.png.heatmap.png"
    other.write_bytes(b"someone else's")

    saved = save_heatmap(b"mine", tmp_path, "a.png")

    assert saved == tmp_path / "a.png.2.heatmap.png"
    assert (other.read_bytes(), saved.read_bytes()) == (b"someone else's", b"mine")
    assert save_heatmap(b"mine", tmp_path, "a.png") == saved


def test_a_heat_map_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"the heat map .* cannot be written \(File name too long\)"):
        save_heatmap(b"mine", tmp_path, "a" * 250)


def test_a_heat_map_folder_that_cannot_be_made_is_wrong_usage(
    classify: Any, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert classify(folder, "--heatmap", folder / "bright.png" / "maps") == 2
    assert "for heat maps cannot be made" in capsys.readouterr().err


def test_find_images_searches_folders_and_lists_nothing_twice(folder: Path) -> None:
    for name in ("a.JPG", "b.jpeg", "notes.txt", "c.png.heatmap.png", "sub/d.Jpeg"):
        (folder / name).write_bytes(b"")
    (folder / "folder.png").mkdir()
    os.mkfifo(folder / "pipe.png")

    found = find_images([folder / "b.jpeg", folder, folder / "b.jpeg"])

    assert [str(path.relative_to(folder)) for path in found] == [
        "b.jpeg",
        "a.JPG",
        "bright.png",
        "sub/d.Jpeg",
        "sub/dark.PNG",
    ]


def test_find_images_refuses_what_is_not_there(folder: Path) -> None:
    with pytest.raises(UsageError, match=r"none\.png does not exist"):
        find_images([folder, folder / "none.png"])


def test_find_images_refuses_a_folder_without_images(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("x")

    with pytest.raises(UsageError, match="there is no JPEG or PNG file in"):
        find_images([tmp_path])


def test_find_images_refuses_a_folder_it_cannot_list() -> None:
    with folder_of_nobody() as folder:
        write_png(folder / "a.png", 100)
        (folder / "sub").mkdir(mode=0)

        with pytest.raises(UsageError, match="sub cannot be listed"):
            find_images([folder])
