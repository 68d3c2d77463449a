"""Short runs of ``python -m tests.chaos.storms``, and that one sees what is answered twice."""

import os
from pathlib import Path
from random import Random

import pytest

from tests.chaos import sea, storms
from tests.chaos.agreement import DisagreementError
from tests.chaos.sea import Sea, Skipped


@pytest.mark.parametrize(
    ("name", "files"),
    [("slow", 4), ("renamed", 4), ("burst", 30), ("clock", 8), ("silent", 4), ("backlog", 4500)],
)
def test_all_is_answered_once(tmp_path: Path, name: str, files: int) -> None:
    storm, _ = storms.STORMS[name]

    try:
        what = storm(tmp_path, Random(5), files)
    except Skipped as reason:
        pytest.skip(str(reason))

    assert what.startswith(f"{files} files")


def test_a_file_that_is_answered_half_written_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sea, "SETTLE", 0.0)  # for the watcher; the writer pauses as before

    with pytest.raises(DisagreementError, match="no such file was put in"):
        storms.reopened(tmp_path, Random(5), 8)


def test_a_watcher_that_ends_is_seen(tmp_path: Path) -> None:
    storm = Sea(tmp_path, "--bundle", str(tmp_path / "none.tflite"))

    with pytest.raises(DisagreementError, match="answered"), storm.watched():
        pass


def test_a_storm_that_is_not_there_is_a_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        storms.main(["hail"])

    assert "there is no storm hail; there are slow, reopened" in capsys.readouterr().err


def test_the_command_tells_what_it_did(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert storms.main(["backlog", "--files", "300", "--place", str(tmp_path)]) == 0

    assert capsys.readouterr().out.startswith("backlog: 300 files in 100 folders, newest first in ")
    assert os.listdir(tmp_path) == []  # noqa: PTH208
