from pathlib import Path

import pytest

from edge_runtime.sinks.unfinished import UnfinishedFiles


def test_names_are_used_again(tmp_path: Path) -> None:
    files = UnfinishedFiles(tmp_path)
    first, second, third = (files.write(text) for text in (b"1", b"2", b"3"))

    files.finish(second, tmp_path / "two")
    files.discard(first)
    fourth, fifth = files.write(b"4"), files.write(b"5")

    assert [path.name for path in (first, second, third)] == [".unfinished", ".unfinished-1", ".unfinished-2"]
    assert (fourth, fifth) == (first, second)
    assert (tmp_path / "two").read_bytes() == b"2"
    assert fourth.read_bytes() + fifth.read_bytes() + third.read_bytes() == b"453"


def test_what_a_power_cut_left_is_written_over(tmp_path: Path) -> None:
    (tmp_path / ".unfinished").write_bytes(b"old" * 1000)

    assert UnfinishedFiles(tmp_path).write(b"new").read_bytes() == b"new"


def test_what_cannot_be_named_is_kept(tmp_path: Path) -> None:
    files = UnfinishedFiles(tmp_path)
    path = files.write(b"1")

    with pytest.raises(FileNotFoundError):
        files.finish(path, tmp_path / "nowhere" / "name")

    assert path.read_bytes() == b"1"
    files.finish(path, tmp_path / "name")
    assert [path.name for path in tmp_path.iterdir()] == ["name"]
