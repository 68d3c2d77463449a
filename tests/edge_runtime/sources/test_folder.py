import errno
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest
from watchdog.observers.api import BaseObserver

from edge_runtime.errors import ImageError, UsageError
from edge_runtime.file_state import FileState
from edge_runtime.sources import Work
from edge_runtime.sources import folder as folder_module
from edge_runtime.sources.events import FolderEvents
from edge_runtime.sources.folder import MAX_BYTES, FolderSource
from edge_runtime.sources.settle import Settling
from tests.edge_runtime.nobody import folder_of_nobody
from tests.edge_runtime.pictures import put

DEADLINE = 30.0
NEVER = 3600.0


def nothing_known(_name: bytes, _state: FileState) -> bool:
    return False


def drained(folder: Path, **options: object) -> tuple[FolderSource, list[Work]]:
    """All the work of a folder, and the source it came from; nothing is reported as done."""
    source = FolderSource(folder, nothing_known, once=True, settling=Settling(0.0), **options)  # type: ignore[arg-type]
    return source, list(source.work(threading.Event()))


@contextmanager
def watched(source: FolderSource) -> Iterator[Callable[[int], list[Work]]]:
    """A source at work in a thread; what is yielded waits until so many have come."""
    stop, arrived, found = threading.Event(), threading.Condition(), list[Work]()

    def collect() -> None:
        for work in source.work(stop):
            with arrived:
                found.append(work)
                arrived.notify()

    def wait_for(count: int) -> list[Work]:
        with arrived:
            assert arrived.wait_for(lambda: len(found) >= count, DEADLINE), found
            return list(found)

    thread = threading.Thread(target=collect)
    thread.start()
    try:
        yield wait_for
    finally:
        stop.set()
        thread.join(DEADLINE)
        assert not thread.is_alive()


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_yields_every_visible_file_the_oldest_first(tmp_path: Path) -> None:
    put(tmp_path / "young.png", b"1", age=10)
    put(tmp_path / "sub" / "deeper" / "old.jpeg", b"2", age=30)
    put(tmp_path / "notes.txt", b"3", age=20)
    put(tmp_path / ".hidden" / "x.png", b"4")
    put(tmp_path / "x.png.part", b"5")

    _, work = drained(tmp_path)

    assert [w.source for w in work] == ["sub/deeper/old.jpeg", "notes.txt", "young.png"]


def test_what_is_known_is_not_yielded(tmp_path: Path) -> None:
    put(tmp_path / "a.png", b"1")
    put(tmp_path / "b.png", b"22")

    def knows(name: bytes, state: FileState) -> bool:
        return (name, state.size) == (b"a.png", 1)

    source = FolderSource(tmp_path, knows, once=True, settling=Settling(0.0))

    assert [w.source for w in source.work(threading.Event())] == ["b.png"]


def test_the_excluded_folder_is_left_out(tmp_path: Path) -> None:
    put(tmp_path / "a.png", b"1")
    put(tmp_path / "results" / "a.png.json", b"2")
    put(tmp_path / "results-of-ours" / "b.png", b"3")

    _, work = drained(tmp_path, exclude=tmp_path / "results")

    assert sorted(w.source for w in work) == ["a.png", "results-of-ours/b.png"]


def test_a_name_in_any_encoding(tmp_path: Path) -> None:
    put(Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.png")), b"data")

    source, work = drained(tmp_path)

    assert [(w.source, w.key) for w in work] == [("caf\\xe9.png", b"caf\xe9.png")]
    assert source.read(work[0]) == b"data"


def test_more_files_than_are_held_in_memory(tmp_path: Path) -> None:
    for number in range(25):
        put(tmp_path / f"{number:02}.png", b"x", age=number)
    source = FolderSource(tmp_path, nothing_known, once=True, settling=Settling(0.0, limit=4))

    names = [w.source for w in source.work(threading.Event())]

    assert names == [f"{number:02}.png" for number in reversed(range(25))]


def test_what_did_not_fit_into_memory_is_looked_for_when_there_is_room(tmp_path: Path) -> None:
    for number in range(25):
        put(tmp_path / f"{number:02}.png", b"x", age=number)
    source = FolderSource(tmp_path, nothing_known, settling=Settling(0.0, limit=4), rescan=NEVER)

    with watched(source) as wait_for:
        names = [w.source for w in wait_for(25)]

    assert names == [f"{number:02}.png" for number in reversed(range(25))]


def test_what_arrives_does_not_wait_for_a_long_look_through_the_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folder_module, "_SCAN_STEP", 1)
    folder, urgent = tmp_path / "in", put(tmp_path / "urgent.png", b"u")
    for number in range(20):
        put(folder / f"{number:02}.png", b"x")
    heard: list[threading.Event] = []
    looked_at: list[bytes] = []

    def listen(root: Path, wake: threading.Event) -> FolderEvents:
        heard.append(wake)
        return FolderEvents(root, wake)

    def knows(name: bytes, _state: FileState) -> bool:
        if name == b"urgent.png":
            return False
        looked_at.append(name)
        if len(looked_at) == 5:  # in the middle of the look, a radiograph arrives
            urgent.rename(folder / "urgent.png")
            assert heard[0].wait(DEADLINE)
        return True

    source = FolderSource(folder, knows, settling=Settling(0.0), events=listen, rescan=NEVER)

    first = next(source.work(threading.Event()))

    assert first.source == "urgent.png"
    assert len(looked_at) < 20


def test_links_pipes_and_devices_are_refused_and_not_followed(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    put(tmp_path / "outside" / "x.png", b"secret")
    folder.mkdir()
    (folder / "link.png").symlink_to(tmp_path / "outside" / "x.png")
    (folder / "linked-folder").symlink_to(tmp_path / "outside")
    os.mkfifo(folder / "pipe.png")

    source, work = drained(folder)

    refusals = {w.source: str(source.read(w)) for w in work if isinstance(source.read(w), ImageError)}
    assert refusals == {
        "link.png": "a symbolic link, which is not followed: copy the file itself here",
        "linked-folder": "a symbolic link, which is not followed: copy the file itself here",
        "pipe.png": "a named pipe, not a file",
    }


def test_a_file_replaced_by_a_link_or_a_pipe_before_it_is_read(tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        put(tmp_path / "in" / name, b"x")
    put(tmp_path / "secret", b"x")
    source, work = drained(tmp_path / "in")
    for w in work:
        (tmp_path / "in" / w.source).unlink()
    (tmp_path / "in" / "a.png").symlink_to(tmp_path / "secret")
    os.mkfifo(tmp_path / "in" / "b.png")

    assert [source.read(w) for w in work] == [None, None]


def test_a_huge_file_is_refused_unread(tmp_path: Path) -> None:
    with (tmp_path / "huge.png").open("wb") as file:
        file.truncate(MAX_BYTES + 1)

    source, (work,) = drained(tmp_path)

    assert str(source.read(work)) == "larger than 512 MiB"


def test_a_file_that_cannot_be_read_gives_the_error() -> None:
    with folder_of_nobody() as folder:
        put(folder / "a.png", b"x").chmod(0)

        source, (work,) = drained(folder)

        error = source.read(work)
    assert isinstance(error, OSError)
    assert error.errno == errno.EACCES


def test_a_subfolder_that_cannot_be_looked_through_is_told_once() -> None:
    notes: list[str] = []
    with folder_of_nobody() as folder:
        put(folder / "a.png", b"x")
        put(folder / "locked" / "b.png", b"x")
        (folder / "locked").chmod(0)

        _, work = drained(folder, note=notes.append)

    assert [w.source for w in work] == ["a.png"]
    assert notes == [f"{folder}/locked cannot be looked through: Permission denied"]


def test_a_file_that_vanished_is_dropped_and_told(tmp_path: Path) -> None:
    path = put(tmp_path / "a.png", b"x")
    notes: list[str] = []
    source, (work,) = drained(tmp_path, note=notes.append)
    path.unlink()

    assert source.read(work) is None
    assert notes == ["a.png was gone before it could be read"]


def test_a_file_that_changed_before_it_was_read_is_yielded_anew(tmp_path: Path) -> None:
    path = put(tmp_path / "a.png", b"x")
    source, (work,) = drained(tmp_path)
    put(path, b"changed")

    assert source.read(work) is None

    (again,) = source.work(threading.Event())
    assert source.read(again) == b"changed"


def test_work_in_hand_is_not_yielded_twice(tmp_path: Path) -> None:
    path = put(tmp_path / "a.png", b"x")
    source, (work,) = drained(tmp_path)

    assert list(source.work(threading.Event())) == []
    source.done(work)
    assert [w.key for w in source.work(threading.Event())] == [b"a.png"]
    put(path, b"changed")
    assert [w.state.size for w in source.work(threading.Event())] == [7]


def test_events_tell_of_what_arrives(tmp_path: Path) -> None:
    put(tmp_path / "there.png", b"1")
    elsewhere = put(tmp_path.parent / f"{tmp_path.name}-elsewhere" / "sub" / "moved.png", b"22")
    source = FolderSource(tmp_path, nothing_known, settling=Settling(0.01), rescan=NEVER)

    with watched(source) as wait_for:
        wait_for(1)  # the look at the start is over, and there will be no other
        put(tmp_path / "written.png", b"333")
        wait_for(2)
        put(tmp_path / "new" / "folder" / "x.png", b"4444")
        wait_for(3)
        elsewhere.parent.rename(tmp_path / "sub")
        wait_for(4)
        (tmp_path / "x.part").write_bytes(b"55555")
        (tmp_path / "x.part").rename(tmp_path / "renamed.png")
        found = wait_for(5)

    assert [(w.source, w.state.size) for w in found] == [
        ("there.png", 1),
        ("written.png", 3),
        ("new/folder/x.png", 4),
        ("sub/moved.png", 2),
        ("renamed.png", 5),
    ]


def test_a_file_held_open_by_its_writer_is_waited_for(tmp_path: Path) -> None:
    put(tmp_path / "there.png", b"1")
    source = FolderSource(tmp_path, nothing_known, settling=Settling(0.05), rescan=NEVER)

    with watched(source) as wait_for:
        wait_for(1)
        with (tmp_path / "slow.png").open("wb") as file:
            file.write(b"half")
            file.flush()
            put(tmp_path / "other.png", b"22")
            assert [w.source for w in wait_for(2)] == ["there.png", "other.png"]  # ten settle times have not passed
            time.sleep(0.2)
            file.write(b"whole")
        found = wait_for(3)

    assert [(w.source, w.state.size) for w in found[2:]] == [("slow.png", 9)]


class DeafObserver(BaseObserver):
    """What watchdog does when the kernel has no watch left."""

    def __init__(self) -> None:
        raise OSError(errno.ENOSPC, "inotify watch limit reached")


def test_without_events_the_folder_is_looked_through(tmp_path: Path) -> None:
    notes: list[str] = []
    deaf = partial(FolderEvents, observer=DeafObserver)
    source = FolderSource(tmp_path, nothing_known, settling=Settling(0.01), events=deaf, rescan=0.02, note=notes.append)

    with watched(source) as wait_for:
        wait_until(lambda: bool(notes))
        put(tmp_path / "a.png", b"x")
        wait_for(1)

    assert notes == [f"no events from {tmp_path} (inotify watch limit reached): it is looked through every 0 s instead"]


def test_a_folder_that_goes_away_is_waited_for(tmp_path: Path) -> None:
    folder, notes = tmp_path / "in", list[str]()
    put(folder / "a.png", b"x")
    source = FolderSource(folder, nothing_known, settling=Settling(0.01), rescan=0.05, note=notes.append)

    with watched(source) as wait_for:
        wait_for(1)
        folder.rename(tmp_path / "away")
        wait_until(lambda: bool(notes))
        put(folder / "b.png", b"x")
        found = wait_for(2)

    assert [w.source for w in found] == ["a.png", "b.png"]
    assert notes[0].startswith(f"{folder} is gone (No such file or directory)")


def test_once_a_folder_that_goes_away_is_an_error(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    put(folder / "a.png", b"x")
    source = FolderSource(folder, nothing_known, once=True, settling=Settling(0.0))
    work = source.work(threading.Event())
    next(work)
    folder.rename(tmp_path / "away")

    with pytest.raises(UsageError, match="cannot be looked at any more: No such file or directory"):
        next(work)


def test_stops_when_told(tmp_path: Path) -> None:
    for name in "abc":
        put(tmp_path / name, b"x")
    stop = threading.Event()
    found = []

    for work in FolderSource(tmp_path, nothing_known, settling=Settling(0.0)).work(stop):
        found.append(work)
        stop.set()

    assert len(found) == 1
