import errno
import os
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
    failures: list[tuple[str, int | None]] = []

    def failed(path: str, error: OSError) -> None:
        failures.append((path, error.errno))

    with folder_of_nobody() as folder:
        put(folder / "locked" / "a.png", b"1").parent.chmod(0)

        found = [path for path, state in walk(str(folder), lambda _: False, failed) if state is not None]

    assert found == []
    assert failures == [(f"{folder}/locked", errno.EACCES)]


def test_files_that_cannot_be_looked_at_are_left_out_and_the_first_is_noted() -> None:
    failures: list[tuple[str, int | None]] = []
    with folder_of_nobody() as folder:
        for name in "abc":
            put(folder / "listed" / name, b"1")
        (folder / "listed").chmod(0o400)

        found = list(walk(str(folder), lambda _: False, lambda path, error: failures.append((path, error.errno))))

    assert sorted(found) == [(f"{folder}/listed", None)] + [(f"{folder}/listed/{name}", None) for name in "abc"]
    assert [(path.rpartition("/")[0], number) for path, number in failures] == [(f"{folder}/listed", errno.EACCES)]


def test_a_folder_that_is_replaced_by_a_link_while_it_is_looked_through_is_not_followed(tmp_path: Path) -> None:
    put(tmp_path / "in" / "ward" / "a.png", b"1")
    put(tmp_path / "secret" / "b.png", b"2")

    found = []
    for path, _ in walk(str(tmp_path / "in"), lambda _: False, print):
        found.append(path)
        if path.endswith("ward"):  # found, and not looked into yet
            (tmp_path / "in" / "ward").rename(tmp_path / "away")
            (tmp_path / "in" / "ward").symlink_to(tmp_path / "secret")

    assert found == [str(tmp_path / "in" / "ward")]


def test_names_in_any_encoding_are_walked_through(tmp_path: Path) -> None:
    folder = os.fsencode(tmp_path) + b"/\xe9t\xe9"
    put(Path(os.fsdecode(folder + b"/\xff.png")), b"1")

    found = [os.fsencode(path) for path, state in walk(str(tmp_path), lambda _: False, print) if state]

    assert found == [folder + b"/\xff.png"]
