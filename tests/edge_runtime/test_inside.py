import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge_runtime import inside


@pytest.fixture
def results(tmp_path: Path) -> Path:
    folder = tmp_path / "out"
    (folder / "ward").mkdir(parents=True)
    (folder / "ward" / "a.json").write_bytes(b"12345")
    (tmp_path / "secret").write_bytes(b"secret")
    return folder


@pytest.fixture
def root(results: Path) -> Iterator[int]:
    handle = inside.open_root(results)
    yield handle
    os.close(handle)


def test_a_file_is_found_by_its_name(root: int) -> None:
    assert inside.size_of(root, b"ward/a.json") == 5
    with os.fdopen(inside.open_file(root, b"ward/a.json"), "rb") as file:
        assert file.read() == b"12345"


ELSEWHERE = [b"../secret", b"ward/../../secret", b"/etc/passwd", b"", b".", b"ward/", b"ward//a.json", b"ward/\0"]


@pytest.mark.parametrize("name", [*ELSEWHERE, b"linked/secret", b"link"])
def test_nothing_outside_is_reached(root: int, results: Path, name: bytes) -> None:
    (results / "linked").symlink_to(results.parent)
    (results / "link").symlink_to(results.parent / "secret")

    assert inside.size_of(root, name) is None
    with pytest.raises(OSError):  # noqa: PT011 (which one depends on the way)
        inside.open_file(root, name)


def test_only_ordinary_files_are_opened(root: int, results: Path) -> None:
    os.mkfifo(results / "pipe")

    for name in (b"pipe", b"ward", b"missing", b"x" * 300):
        assert inside.size_of(root, name) is None
        with pytest.raises(OSError):  # noqa: PT011
            os.close(inside.open_file(root, name))


def handles() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_no_handle_is_left_open(root: int) -> None:
    before = handles()
    for _ in range(5):
        inside.size_of(root, b"ward/a.json")
        inside.size_of(root, b"ward/missing/a.json")
        inside.size_of(root, b"../x")

    assert handles() == before
