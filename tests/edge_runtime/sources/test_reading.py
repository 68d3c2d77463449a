import errno
import os
import stat
from pathlib import Path

import pytest

from edge_runtime.errors import ImageError
from edge_runtime.file_state import FileState
from edge_runtime.sources import beneath
from edge_runtime.sources.reading import Unread, read_file
from tests.edge_runtime.nobody import folder_of_nobody
from tests.edge_runtime.pictures import put

LIMIT = 1000


def state_of(path: Path) -> FileState:
    return FileState.of(path.lstat())


def test_reads_the_whole_file(tmp_path: Path) -> None:
    path = put(tmp_path / "ward" / "a.png", b"x" * LIMIT)

    assert read_file(str(tmp_path), b"ward/a.png", state_of(path), LIMIT) == b"x" * LIMIT


def test_reads_in_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge_runtime.sources.reading._BLOCK", 3)
    path = put(tmp_path / "a.png", b"0123456789")

    assert read_file(str(tmp_path), b"a.png", state_of(path), LIMIT) == b"0123456789"


def test_an_empty_file_has_no_bytes(tmp_path: Path) -> None:
    path = put(tmp_path / "a.png", b"")

    assert read_file(str(tmp_path), b"a.png", state_of(path), LIMIT) == b""


def test_what_is_too_large_is_refused_unread(tmp_path: Path) -> None:
    path = put(tmp_path / "a.png", b"x" * (LIMIT + 1))

    found = read_file(str(tmp_path), b"a.png", state_of(path), LIMIT)

    assert isinstance(found, ImageError)


@pytest.mark.parametrize("kind", [stat.S_IFCHR, stat.S_IFBLK, stat.S_IFSOCK, stat.S_IFIFO, stat.S_IFLNK])
def test_what_is_no_file_is_never_opened(kind: int) -> None:
    found = read_file("/nowhere", b"a.png", FileState(0, 0, 0, 1, kind | 0o644), LIMIT)

    assert isinstance(found, ImageError)


@pytest.mark.parametrize("data", [b"longer", b"xy"])
def test_a_file_that_changed_since_it_was_found(tmp_path: Path, data: bytes) -> None:
    path = put(tmp_path / "a.png", b"x")
    found = state_of(path)
    put(path, data)

    assert read_file(str(tmp_path), b"a.png", found, LIMIT) is Unread.CHANGED


@pytest.mark.parametrize("growth", [1, 10_000])
def test_a_file_that_is_written_to_while_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, growth: int
) -> None:
    path = put(tmp_path / "a.png", b"x" * 10)
    found = state_of(path)
    asked_for = []

    def read_and_write(handle: int, size: int) -> bytes:
        asked_for.append(size)
        data = os.pread(handle, size, 0)
        with path.open("ab") as file:
            file.write(b"y" * growth)
        return data

    monkeypatch.setattr("edge_runtime.sources.reading.os.read", read_and_write)

    assert read_file(str(tmp_path), b"a.png", found, LIMIT) is Unread.CHANGED
    assert asked_for == [10]


def test_a_file_that_is_cut_short_while_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = put(tmp_path / "a.png", b"x" * 10)
    found = state_of(path)
    monkeypatch.setattr("edge_runtime.sources.reading.os.read", lambda _handle, _size: b"")

    assert read_file(str(tmp_path), b"a.png", found, LIMIT) is Unread.CHANGED


def test_a_file_replaced_by_another_while_it_is_read_is_read_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is open stays what it was; the other one is met by its own event or look."""
    path, other = put(tmp_path / "a.png", b"first"), put(tmp_path / "b.png", b"other")
    found, really = state_of(path), os.read

    def read(handle: int, size: int) -> bytes:
        if other.exists():
            other.replace(path)
        return really(handle, size)

    monkeypatch.setattr("edge_runtime.sources.reading.os.read", read)

    assert read_file(str(tmp_path), b"a.png", found, LIMIT) == b"first"


def test_a_file_or_its_folder_that_is_gone(tmp_path: Path) -> None:
    path = put(tmp_path / "ward" / "a.png", b"x")
    found = state_of(path)
    path.unlink()
    assert read_file(str(tmp_path), b"ward/a.png", found, LIMIT) is Unread.GONE
    path.parent.rmdir()
    assert read_file(str(tmp_path), b"ward/a.png", found, LIMIT) is Unread.GONE


def test_a_folder_that_was_replaced_by_a_link_is_not_followed(tmp_path: Path) -> None:
    path = put(tmp_path / "in" / "ward" / "a.png", b"x")
    found = state_of(path)
    path.parent.rename(tmp_path / "outside")  # the very file, so that only the link tells
    path.parent.symlink_to(tmp_path / "outside")

    assert read_file(str(tmp_path / "in"), b"ward/a.png", found, LIMIT) is Unread.GONE


def test_a_file_that_was_replaced_by_a_link_is_not_followed(tmp_path: Path) -> None:
    path = put(tmp_path / "in" / "a.png", b"x")
    found = state_of(path)
    path.rename(tmp_path / "outside.png")
    path.symlink_to(tmp_path / "outside.png")

    assert read_file(str(tmp_path / "in"), b"a.png", found, LIMIT) is Unread.CHANGED


def test_a_pipe_in_its_place_is_not_waited_for(tmp_path: Path) -> None:
    path = put(tmp_path / "a.png", b"")
    found = state_of(path)
    path.unlink()
    os.mkfifo(path)

    assert read_file(str(tmp_path), b"a.png", found, LIMIT) is Unread.CHANGED


def test_an_error_is_given_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = put(tmp_path / "a.png", b"x")

    def fail(_root: str, _name: bytes) -> int:
        raise OSError(errno.ESTALE, "Stale file handle")

    monkeypatch.setattr(beneath, "open_file", fail)
    found = read_file(str(tmp_path), b"a.png", state_of(path), LIMIT)

    assert isinstance(found, OSError)
    assert found.errno == errno.ESTALE


def test_what_must_not_be_read_gives_the_error() -> None:
    with folder_of_nobody() as folder:
        path = put(folder / "a.png", b"x")
        path.chmod(0)

        found = read_file(str(folder), b"a.png", state_of(path), LIMIT)

    assert isinstance(found, PermissionError)
