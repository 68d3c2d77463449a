import os
from pathlib import Path

import pytest

from edge_runtime.sources import beneath
from tests.edge_runtime.pictures import put


def open_handles() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def content(root: Path, name: str) -> bytes:
    with os.fdopen(beneath.open_file(str(root), name.encode()), "rb") as file:
        return file.read()


def test_opens_a_file_in_a_subfolder(tmp_path: Path) -> None:
    put(tmp_path / "ward" / "deep" / "a.png", b"x")
    put(tmp_path / "b.png", b"y")

    assert content(tmp_path, "ward/deep/a.png") == b"x"
    assert content(tmp_path, "b.png") == b"y"


@pytest.mark.parametrize("swapped", ["ward", "ward/deep", "ward/deep/a.png"])
def test_follows_no_link_wherever_it_stands(tmp_path: Path, swapped: str) -> None:
    put(tmp_path / "in" / "ward" / "deep" / "a.png", b"x")
    (tmp_path / "in" / swapped).rename(tmp_path / "outside")
    (tmp_path / "in" / swapped).symlink_to(tmp_path / "outside")
    assert (tmp_path / "in" / "ward" / "deep" / "a.png").read_bytes() == b"x"  # what an ordinary open does

    with pytest.raises(OSError, match=r"Not a directory|symbolic links") as refused:
        content(tmp_path / "in", "ward/deep/a.png")

    assert refused.value.errno in beneath.SWAPPED


def test_the_topmost_folder_may_be_reached_by_a_link(tmp_path: Path) -> None:
    put(tmp_path / "in" / "a.png", b"x")
    (tmp_path / "link").symlink_to(tmp_path / "in")

    assert content(tmp_path / "link", "a.png") == b"x"


def test_a_pipe_is_opened_without_waiting_for_its_writer(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")

    os.close(beneath.open_file(str(tmp_path), b"pipe"))


def test_lists_a_folder_and_follows_no_link_to_it(tmp_path: Path) -> None:
    put(tmp_path / "in" / "ward" / "a.png", b"x")
    (tmp_path / "in" / "link").symlink_to(tmp_path)
    handle = beneath.open_folder(str(tmp_path / "in"), b"ward")

    with os.scandir(handle) as entries:
        assert [entry.name for entry in entries] == ["a.png"]
    with pytest.raises(NotADirectoryError):
        beneath.open_folder(str(tmp_path / "in"), b"link")
    os.close(handle)


def test_makes_the_folders_that_are_missing(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()

    with beneath.parent(str(tmp_path), b"there/new/newer/a.png", make=True) as (folder, name):
        os.close(os.open(name, os.O_CREAT | os.O_WRONLY, dir_fd=folder))
        beneath.sync(folder)

    assert (tmp_path / "there" / "new" / "newer" / "a.png").exists()


def test_closes_what_it_opened(tmp_path: Path) -> None:
    put(tmp_path / "ward" / "deep" / "a.png", b"x")
    before = open_handles()

    for name in (b"ward/deep/none.png", b"ward/none/a.png", b"none/a.png"):
        with pytest.raises(FileNotFoundError):
            beneath.open_file(str(tmp_path), name)
    with pytest.raises(NotADirectoryError):
        beneath.open_file(str(tmp_path), b"ward/deep/a.png/x")

    assert open_handles() == before
