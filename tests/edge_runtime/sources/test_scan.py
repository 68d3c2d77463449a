from pathlib import Path

import pytest

from edge_runtime.sources.scan import is_ignored, walk
from tests.edge_runtime.nobody import folder_of_nobody
from tests.edge_runtime.pictures import put


@pytest.mark.parametrize(
    ("name", "ignored"),
    [
        ("scan.jpeg", False),
        ("SCAN.PNG", False),
        ("scan", False),
        ("notes.txt", False),
        (".scan.jpeg.Xy12", True),
        ("scan.jpeg.part", True),
        ("scan.jpeg.TMP", True),
        ("scan.jpeg.crdownload", True),
        ("scan.jpeg.filepart", True),
        ("scan.jpeg~", True),
        ("Thumbs.db", True),
        ("desktop.ini", True),
        (".DS_Store", True),
        ("scan.jpeg.heatmap.png", True),
    ],
)
def test_ignored_names(name: str, ignored: bool) -> None:
    assert is_ignored(name) is ignored


def test_walks_through_everything_that_is_no_folder(tmp_path: Path) -> None:
    put(tmp_path / "a.png", b"1")
    put(tmp_path / "sub" / "deeper" / "b.png", b"22")
    put(tmp_path / "sub" / ".hidden.png", b"333")
    put(tmp_path / "out" / "a.png.json", b"4444")
    (tmp_path / "link").symlink_to(tmp_path / "sub")

    found = {
        path: state.size
        for path, state in walk(str(tmp_path), lambda path: path == str(tmp_path / "out"), print)
        if state is not None
    }

    assert found.keys() == {str(tmp_path / name) for name in ("a.png", "sub/deeper/b.png", "link")}
    assert found[str(tmp_path / "sub/deeper/b.png")] == 2


def test_a_folder_that_cannot_be_listed_is_noted() -> None:
    notes: list[str] = []
    with folder_of_nobody() as folder:
        put(folder / "locked" / "a.png", b"1").parent.chmod(0)

        found = [path for path, state in walk(str(folder), lambda _: False, notes.append) if state is not None]

    assert found == []
    assert notes == [f"{folder}/locked cannot be looked through: Permission denied"]


def test_a_file_that_cannot_be_looked_at_is_left_out() -> None:
    with folder_of_nobody() as folder:
        put(folder / "listed" / "a.png", b"1").parent.chmod(0o400)

        found = list(walk(str(folder), lambda _: False, print))

    assert found == [(f"{folder}/listed", None), (f"{folder}/listed/a.png", None)]
