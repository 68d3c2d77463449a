import os
from pathlib import Path

import pytest

from edge_runtime.sinks.unfinished import Unfinished, UnfinishedFiles


def content(file: Unfinished) -> bytes:
    return Path(os.fsdecode(file.path)).read_bytes()


def test_names_are_used_again(tmp_path: Path) -> None:
    files = UnfinishedFiles(tmp_path)
    first, second, third = (files.write(text) for text in (b"1", b"2", b"3"))

    files.force(second)
    files.finish(second, bytes(tmp_path / "two"))
    files.discard(first)
    fourth, fifth = files.write(b"4"), files.write(b"5")

    names = [Path(os.fsdecode(file.path)).name for file in (first, second, third)]
    assert names == [".unfinished", ".unfinished-1", ".unfinished-2"]
    assert (fourth.path, fifth.path) == (first.path, second.path)
    assert (tmp_path / "two").read_bytes() == b"2"
    assert content(fourth) + content(fifth) + content(third) == b"453"


def test_what_a_power_cut_left_is_written_over(tmp_path: Path) -> None:
    (tmp_path / ".unfinished").write_bytes(b"old" * 1000)

    assert content(UnfinishedFiles(tmp_path).write(b"new")) == b"new"


def test_what_a_power_cut_left_is_cleared_and_nothing_else(tmp_path: Path) -> None:
    for name in (".unfinished", ".unfinished-99", ".unfinished-mine", "unfinished", "a.json"):
        (tmp_path / name).touch()

    UnfinishedFiles(tmp_path).clear()

    assert sorted(path.name for path in tmp_path.iterdir()) == [".unfinished-mine", "a.json", "unfinished"]


def test_what_cannot_be_named_is_kept(tmp_path: Path) -> None:
    files = UnfinishedFiles(tmp_path)
    file = files.write(b"1")

    with pytest.raises(FileNotFoundError):
        files.finish(file, bytes(tmp_path / "nowhere" / "name"))

    assert content(file) == b"1"
    files.finish(file, bytes(tmp_path / "name"))
    assert [path.name for path in tmp_path.iterdir()] == ["name"]


def test_no_file_stays_open(tmp_path: Path) -> None:
    files = UnfinishedFiles(tmp_path)
    before = len(list(Path("/proc/self/fd").iterdir()))

    kept, given_up = files.write(b"1"), files.write(b"2")
    files.force(kept)
    files.finish(kept, bytes(tmp_path / "name"))
    files.discard(given_up)

    assert len(list(Path("/proc/self/fd").iterdir())) == before
