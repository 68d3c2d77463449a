import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from edge_runtime.cli import main
from edge_runtime.doctor import checks, command, subject
from edge_runtime.doctor.checks import CHECKS, examine
from edge_runtime.doctor.machine import Machine
from edge_runtime.doctor.verdict import Check, Verdict
from edge_runtime.finding import NOTICE
from tests.edge_runtime.doctor.boards import Board

GOOD = Check("disk space", "ok", "30 GB free", None)
SO_SO = Check("clock", "warn", "not set by the network", "set it")
BAD = Check("power", "fail", "under-voltage now", "another supply")
UNSEEN = Check("board", "skip", "does not say", None)


def shown(board: Board, seen: Sequence[Check], capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    status = command.tell(subject.find(board.ready()), seen)
    return status, capsys.readouterr().out


@pytest.mark.parametrize(
    ("seen", "status"), [([GOOD], 0), ([GOOD, SO_SO], 0), ([UNSEEN], 0), ([GOOD, BAD], 1), ([BAD, SO_SO], 1)]
)
def test_the_exit_status_says_whether_something_fails(seen: list[Check], status: int) -> None:
    assert command.exit_status(seen) == status


def test_each_line_says_its_status_and_what_to_do(board: Board, capsys: pytest.CaptureFixture[str]) -> None:
    status, text = shown(board, [GOOD, SO_SO, BAD, UNSEEN], capsys)

    lines = text.splitlines()
    assert status == 1
    assert lines[1].split() == ["ok", "disk", "space", "30", "GB", "free"]
    assert lines[2].startswith("warn  clock ")
    assert lines[3].strip() == "-> set it"
    assert lines[-2] == "1 ok, 1 warn, 1 fail, 1 skip: mend first power"
    assert lines[-1] == NOTICE


def test_line_ends_in_what_was_found_do_not_break_the_lines(board: Board, capsys: pytest.CaptureFixture[str]) -> None:
    _, text = shown(board, [Check("settings", "fail", "a\nfolder\x1b[31m", "b\nc")], capsys)

    assert "a\\nfolder\\x1b[31m" in text
    assert len(text.splitlines()) == 5


def test_long_lines_are_broken_where_the_terminal_ends(board: Board, capsys: pytest.CaptureFixture[str]) -> None:
    bad = Check("power", "fail", "under-voltage now, and this is said at length", "-".join(["a"] * 40) + " supply")

    command.tell(subject.find(board.ready()), [bad], columns=60)

    lines = capsys.readouterr().out.splitlines()[1:-2]
    assert lines[0].endswith("under-voltage now, and this is said")
    assert lines[1].strip() == "at length"
    assert "".join(line.strip() for line in lines[2:]) == "->" + "-".join(["a"] * 40) + "supply"  # words stay whole


def test_json_is_of_the_same_checks(board: Board) -> None:
    machine = board.ready()
    found = subject.find(machine)

    said = json.loads(json.dumps(command.as_json(machine, found, [GOOD, BAD])))

    assert (said["schema"], said["service"], said["failed"], said["notice"]) == (
        "edge-pneumo/doctor/1",
        True,
        True,
        NOTICE,
    )
    assert said["checks"][1] == {
        "name": "power",
        "status": "fail",
        "found": "under-voltage now",
        "advice": "another supply",
    }


def test_json_names_no_radiograph(board: Board) -> None:
    board.answer()
    (board.incoming / "mueller-anna.png").write_bytes(b"")
    (board.results / "mueller-anna.png.json").write_bytes(b"{}")

    machine = board.ready()
    found = subject.find(machine)

    assert "mueller" not in json.dumps(command.as_json(machine, found, list(examine(machine, found))))


def test_nothing_is_left_in_the_folders(board: Board) -> None:
    board.answer()
    before = {path: path.stat().st_mtime_ns for path in sorted(board.top.rglob("*")) if path.is_file()}

    board.examine()

    after = {path: path.stat().st_mtime_ns for path in sorted(board.top.rglob("*")) if path.is_file()}
    of_the_test = board.top / "bin" / "properties"
    assert {path for path in after if path not in before} <= {of_the_test}
    assert all(after[path] == before[path] for path in before if path != of_the_test)


def test_a_check_that_breaks_does_not_take_the_others_with_it(board: Board, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_machine: Machine, _subject: object) -> Verdict:
        raise ZeroDivisionError("a fault of ours")

    monkeypatch.setattr(checks, "CHECKS", {"broken": broken, "board": CHECKS["board"]})
    machine = board.ready()

    found = list(examine(machine, subject.find(machine)))

    assert [(check.name, check.status) for check in found] == [("broken", "skip"), ("board", "ok")]
    assert "ZeroDivisionError: a fault of ours" in found[0].found


def test_the_command_looks_at_this_machine(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "in"
    folder.mkdir()

    status = main(["doctor", str(folder), "--json"])

    said = json.loads(capsys.readouterr().out)
    found = {check["name"]: check for check in said["checks"]}
    assert list(found) == list(CHECKS)
    assert {found[name]["status"] for name in ("python", "numpy", "engine", "model", "watched folder")} == {"ok"}
    assert status == int(said["failed"])


def test_it_works_where_numpy_does_not_load(tmp_path: Path) -> None:
    (tmp_path / "numpy.py").write_text("raise ImportError('libopenblas.so.0: cannot open shared object file')\n")
    environment = {**os.environ, "PYTHONPATH": f"{tmp_path}:{Path(__file__).parents[3]}"}

    done = subprocess.run(
        [sys.executable, "-m", "edge_runtime", "doctor", "--json"], capture_output=True, text=True, env=environment
    )

    found = {check["name"]: check for check in json.loads(done.stdout)["checks"]}
    assert (done.returncode, done.stderr) == (1, "")
    assert found["numpy"]["status"] == "fail"
    assert "libopenblas" in found["numpy"]["found"]
    assert found["model"]["status"] == found["settings"]["status"] == "skip"
