import errno
import os
import threading
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import cast

import pytest
from watchdog.events import FileModifiedEvent
from watchdog.observers.api import BaseObserver, EventEmitter

from edge_runtime.config.settings import WatchSettings
from edge_runtime.errors import ImageError, UsageError
from edge_runtime.file_state import FileState
from edge_runtime.health.health import Health
from edge_runtime.sources import Work, attempts, patience, reading, retry, step, telling
from edge_runtime.sources import folder as folder_module
from edge_runtime.sources.events import FolderEvents
from edge_runtime.sources.folder import MAX_BYTES, FolderSource
from edge_runtime.sources.listening import Listening
from edge_runtime.sources.settle import Order, Settling
from tests.edge_runtime.listening import wait_until_listened_to
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

    _, work = drained(tmp_path, exclude=(tmp_path / "results",))

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


def test_what_this_program_put_there_is_yielded_at_once(tmp_path: Path) -> None:
    source = FolderSource(tmp_path, nothing_known, settling=Settling(NEVER))

    with watched(source) as wait_for:
        put(tmp_path / "may grow.png", b"x")
        put(tmp_path / ".film", b"complete").rename(tmp_path / "film.png")  # else it would be heard to be written
        source.complete(b"film.png")
        found = wait_for(1)

    assert [work.source for work in found] == ["film.png"]


def test_what_this_program_put_there_is_yielded_once(tmp_path: Path) -> None:
    source = FolderSource(tmp_path, nothing_known, settling=Settling(0.05), rescan=0.1)

    with watched(source) as wait_for:
        put(tmp_path / ".film", b"complete").rename(tmp_path / "film.png")
        source.complete(b"film.png")
        wait_for(1)
        put(tmp_path / "other.png", b"x")
        found = wait_for(2)

    assert [work.source for work in found] == ["film.png", "other.png"]


def test_once_yields_what_comes_last_an_instant_before_no_more_is_to_come(tmp_path: Path) -> None:
    """While the folder is looked through for what turns out to be the last time."""
    is_over = False
    put(tmp_path / "first.png", b"x")

    def knows(name: bytes, _state: FileState) -> bool:
        nonlocal is_over
        if not is_over:
            put(tmp_path / "last.png", b"x")
            source.complete(b"last.png")
            is_over = True
        return name == b"first.png"

    source = FolderSource(tmp_path, knows, settling=Settling(0.0), once=lambda: is_over, rescan=NEVER)

    assert [work.source for work in source.work(threading.Event())] == ["last.png"]


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

    assert str(source.read(work)) == "larger than 512 MB"


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
    assert notes == [f"{folder}/locked cannot be looked at: Permission denied"]


def between_found_and_read(monkeypatch: pytest.MonkeyPatch, happen: Callable[[], object]) -> None:
    """Something happens once, before the first file is read."""
    really, waiting = reading.read_file, [happen]

    def read_file(root: str, name: bytes, state: FileState, max_bytes: int) -> object:
        while waiting:
            waiting.pop()()
        return really(root, name, state, max_bytes)

    monkeypatch.setattr(attempts, "read_file", read_file)


def test_a_file_that_vanished_is_dropped_and_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = put(tmp_path / "a.png", b"x")
    notes: list[str] = []
    between_found_and_read(monkeypatch, path.unlink)

    source = FolderSource(tmp_path, nothing_known, once=True, settling=Settling(0.0), note=notes.append)

    assert read_all(source) == {}
    assert notes == ["a.png was gone before it could be read"]


def test_a_file_that_changed_before_it_was_read_is_yielded_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = put(tmp_path / "a.png", b"x")
    between_found_and_read(monkeypatch, lambda: put(path, b"changed"))

    source = FolderSource(tmp_path, nothing_known, once=True, settling=Settling(0.0))

    assert read_all(source) == {"a.png": b"changed"}


def test_what_is_read_is_what_was_found(tmp_path: Path) -> None:
    path = put(tmp_path / "a.png", b"x")
    source = FolderSource(tmp_path, nothing_known, once=True, settling=Settling(0.0))

    with closing(cast(Generator[Work, None, None], source.work(threading.Event()))) as found:
        work = next(found)
        path.unlink()
        first, again = source.read(work), source.read(work)

    assert first == b"x"
    assert again is None  # read anew, and gone


@pytest.mark.parametrize("size", [step.READ_AT_ONCE_BYTES, step.READ_AT_ONCE_BYTES + 1])
def test_the_next_file_is_read_ahead_while_one_is_decoded_unless_it_is_large(tmp_path: Path, size: int) -> None:
    put(tmp_path / "a.png", b"x", age=100)
    large = put(tmp_path / "b.png", bytes(size))
    read_ahead = threading.Event()
    source = FolderSource(tmp_path, nothing_known, once=True, settling=Settling(0.0))
    really = source._attempts.read_at_once

    def read_at_once(work: Work, path: str, max_bytes: int) -> object:
        data = really(work, path, max_bytes)
        if work.source == "b.png":
            read_ahead.set()
        return data

    source._attempts.read_at_once = read_at_once  # type: ignore[method-assign,assignment]
    found = source.work(threading.Event())
    next(found)

    assert read_ahead.wait(0.5 if size > step.READ_AT_ONCE_BYTES else DEADLINE) == (size <= step.READ_AT_ONCE_BYTES)
    work = next(found)
    large.unlink()
    assert source.read(work) == (bytes(size) if size <= step.READ_AT_ONCE_BYTES else None)
    assert list(found) == []


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

    assert notes == [
        f"the system has no inotify watch left for {tmp_path} and its folders: it is looked through every 0.02 s "
        "instead; raise fs.inotify.max_user_watches (sysctl -w fs.inotify.max_user_watches=524288, and that line in "
        "/etc/sysctl.d/90-edge-pneumo.conf to keep it)"
    ]


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

    def knows(_name: bytes, _state: FileState) -> bool:
        if folder.exists():
            folder.rename(tmp_path / "away")
        return False

    source = FolderSource(folder, knows, once=True, settling=Settling(0.0))

    with pytest.raises(UsageError, match="cannot be looked at any more: No such file or directory"):
        list(source.work(threading.Event()))


def test_stops_when_told(tmp_path: Path) -> None:
    for name in "abc":
        put(tmp_path / name, b"x")
    stop = threading.Event()
    found = []

    for work in FolderSource(tmp_path, nothing_known, settling=Settling(0.0)).work(stop):
        found.append(work)
        stop.set()

    assert len(found) == 1


# Order and deep backlogs


@pytest.mark.parametrize("order", ["oldest", "newest"])
def test_the_order_holds_for_more_files_than_are_held_in_memory(tmp_path: Path, order: Order) -> None:
    for number in range(60):
        put(tmp_path / f"{number % 7}" / f"{number:02}.png", b"x", age=number)
    source = FolderSource(tmp_path, nothing_known, once=True, settling=Settling(0.0, order=order, limit=8))

    names = [w.source[-6:-4] for w in source.work(threading.Event())]

    expected = [f"{number:02}" for number in range(60)]
    assert names == (expected if order == "newest" else expected[::-1])


def arriving_during_a_backlog(tmp_path: Path, order: Order) -> list[str]:
    """The order in which a backlog is yielded when, after a while, a fresh file arrives."""
    folder = tmp_path / "in"
    for number in range(40):
        put(folder / f"{number:02}.png", b"x", age=1000 - number)
    fresh = put(tmp_path / "fresh.png", b"x")
    heard: list[threading.Event] = []

    def listen(root: Path, wake: threading.Event) -> FolderEvents:
        heard.append(wake)
        return FolderEvents(root, wake)

    source = FolderSource(
        folder, nothing_known, settling=Settling(0.0, order=order, limit=8), events=listen, rescan=NEVER
    )
    names = []
    for work in source.work(stop := threading.Event()):
        names.append(work.source)
        if len(names) == 3:
            fresh.rename(folder / "fresh.png")
            assert heard[0].wait(DEADLINE)
        if len(names) == 41:
            stop.set()
    return names


def test_oldest_first_what_arrives_waits_for_the_whole_backlog(tmp_path: Path) -> None:
    assert arriving_during_a_backlog(tmp_path, "oldest") == [f"{number:02}.png" for number in range(40)] + ["fresh.png"]


def test_newest_first_what_arrives_does_not_wait_for_the_backlog(tmp_path: Path) -> None:
    names = arriving_during_a_backlog(tmp_path, "newest")

    assert names.index("fresh.png") <= 5
    names.remove("fresh.png")
    assert names == [f"{number:02}.png" for number in reversed(range(40))]


def test_a_modification_time_in_the_future_or_before_the_epoch_is_no_obstacle(tmp_path: Path) -> None:
    for name, moment in {"future.png": 4e9, "past.png": -1e9, "now.png": time.time()}.items():
        os.utime(put(tmp_path / name, b"x"), (moment, moment))

    _, work = drained(tmp_path)

    assert [w.source for w in work] == ["past.png", "now.png", "future.png"]


# What cannot be read just now


class Disk:
    """Reads really, but for the files that fail just now."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.errors: dict[bytes, int] = {}
        self.reads: list[bytes] = []
        self._really = reading.read_file
        monkeypatch.setattr(attempts, "read_file", self._read)
        monkeypatch.setattr(retry, "BACKOFF", (0.01, 0.01, 0.01, 0.01, 0.01))

    def _read(self, root: str, name: bytes, state: FileState, max_bytes: int) -> object:
        self.reads.append(name)
        number = self.errors.get(name)
        return self._really(root, name, state, max_bytes) if number is None else OSError(number, os.strerror(number))


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    return Disk(monkeypatch)


def read_all(source: FolderSource, on_read: Callable[[str], None] = lambda _: None) -> dict[str, object]:
    """What each file gave, as the read-ahead reads it."""
    given: dict[str, object] = {}
    for work in source.work(threading.Event()):
        data = source.read(work)
        if data is not None:
            assert work.source not in given
            given[work.source] = data
        on_read(work.source)
    return given


def test_a_read_that_fails_for_now_is_tried_again_and_the_others_are_not_kept_waiting(
    tmp_path: Path, disk: Disk
) -> None:
    put(tmp_path / "bad.png", b"bad", age=100)
    for number in range(5):
        put(tmp_path / f"{number}.png", b"x")
    disk.errors = {b"bad.png": errno.EIO}
    source = FolderSource(tmp_path, nothing_known, once=True, settling=Settling(0.0))

    given = read_all(source, lambda name: disk.errors.clear() if name == "4.png" else None)

    assert disk.reads[0] == b"bad.png"
    assert list(given) == ["0.png", "1.png", "2.png", "3.png", "4.png", "bad.png"]
    assert given["bad.png"] == b"bad"


def test_what_cannot_be_read_after_all_tries_is_parked_and_said(tmp_path: Path, disk: Disk) -> None:
    put(tmp_path / "bad.png", b"bad", age=100)
    for number in range(20):
        put(tmp_path / f"{number}.png", b"x")
    disk.errors = {b"bad.png": errno.EIO}
    notes, health = list[str](), Health()
    source = FolderSource(tmp_path, nothing_known, once=True, settling=Settling(0.0), note=notes.append, health=health)

    given = read_all(source)

    assert "bad.png" not in given  # no finding: nothing is known of it
    assert len(given) == 20
    assert disk.reads.count(b"bad.png") == 1 + len(retry.BACKOFF)
    sentence = "bad.png cannot be read (input/output error); it is tried again every 15 minutes"
    assert notes == [sentence]
    state = health.snapshot()
    assert state.last_error is not None
    assert state.last_error.reason == sentence
    assert [one.reason for one in state.degraded] == ["1 file cannot be read; it is tried again every 15 minutes"]


def test_a_parked_file_is_tried_again_and_by_the_next_start(
    tmp_path: Path, disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retry, "PARKED_SECONDS", 0.02)
    put(tmp_path / "bad.png", b"bad", age=100)
    disk.errors, stop, health = {b"bad.png": errno.EIO}, threading.Event(), Health()
    source = FolderSource(tmp_path, nothing_known, settling=Settling(0.0), rescan=NEVER, health=health)
    given = dict[str, object]()

    for work in source.work(stop):
        if (data := source.read(work)) is not None:
            given[work.source] = data
        if work.source == "bad.png" and data is None:
            put(tmp_path / f"{len(disk.reads)}.png", b"x")  # others can be read, so that it is not the folder
        if disk.errors and disk.reads.count(b"bad.png") >= 9:
            assert health.snapshot().degraded
            disk.errors.clear()
        if "bad.png" in given:
            stop.set()

    assert given["bad.png"] == b"bad"
    assert read_all(FolderSource(tmp_path, nothing_known, once=True, settling=Settling(0.0)))["bad.png"] == b"bad"


def test_an_error_that_lasts_is_given_at_once(tmp_path: Path, disk: Disk) -> None:
    put(tmp_path / "locked.png", b"x")
    disk.errors = {b"locked.png": errno.EACCES}

    given = read_all(FolderSource(tmp_path, nothing_known, once=True, settling=Settling(0.0)))

    assert isinstance(given["locked.png"], OSError)
    assert disk.reads == [b"locked.png"]


def test_a_folder_of_which_nothing_can_be_read_rests_and_then_goes_on(
    tmp_path: Path, disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retry, "_LONGEST_REST", 0.02)
    names = [f"{number:02}.png" for number in range(30)]
    for name in names:
        put(tmp_path / name, b"x")
    disk.errors = {name.encode(): errno.ESTALE for name in names}
    notes, health, stop, given = list[str](), Health(), threading.Event(), list[str]()
    source = FolderSource(
        tmp_path, nothing_known, settling=Settling(0.0), rescan=NEVER, note=notes.append, health=health
    )
    degraded: list[str] = []

    for work in source.work(stop):
        if source.read(work) is not None:
            given.append(work.source)
        elif len(disk.reads) >= 40 and disk.errors:
            degraded = [one.reason for one in health.snapshot().degraded]
            disk.errors.clear()
        if len(given) == 30:
            stop.set()

    assert sorted(given) == names
    assert degraded == [f"files in {tmp_path} cannot be read (stale file handle)"]
    assert notes == [*degraded, f"files in {tmp_path} can be read again"]  # and none was parked
    assert not health.snapshot().degraded


def test_nothing_is_read_while_the_folder_rests(tmp_path: Path, disk: Disk) -> None:
    names = [f"{number:02}.png" for number in range(30)]
    for name in names:
        put(tmp_path / name, b"x")
    disk.errors, stop = {name.encode(): errno.EIO for name in names}, threading.Event()

    class Turns(Health):
        left = 60

        def waiting(self, _files: int, _more: bool) -> None:
            self.left -= 1
            if not self.left:
                stop.set()

    # The rest never ends, for no time passes.
    source = FolderSource(tmp_path, nothing_known, settling=Settling(0.0), monotonic=lambda: 0.0, health=Turns())
    for work in source.work(stop):
        assert source.read(work) is None

    assert len(disk.reads) == retry.IN_A_ROW


def test_once_a_folder_of_which_nothing_can_be_read_is_an_error(
    tmp_path: Path, disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retry, "_LONGEST_REST", 0.001)
    names = [f"{number:02}.png" for number in range(10)]
    for name in names:
        put(tmp_path / name, b"x")
    disk.errors = {name.encode(): errno.EIO for name in names}
    source = FolderSource(tmp_path, nothing_known, once=True, settling=Settling(0.0), rescan=0.01)

    with pytest.raises(UsageError, match=r"cannot be read \(input/output error\); mend that and start again"):
        read_all(source)


# What settles


def foretelling(folder: Path, **options: object) -> FolderSource:
    return FolderSource(folder, **{"knows": nothing_known, "foretell": True, **options})  # type: ignore[arg-type]


def test_what_was_closed_is_yielded_while_it_settles_and_when_it_is_complete(tmp_path: Path) -> None:
    source = foretelling(tmp_path, settling=Settling(0.5))

    with watched(source) as wait_for:
        wait_until_listened_to(tmp_path)
        put(tmp_path / "a.png", b"x")
        found = wait_for(2)

    assert [(work.source, work.is_settling) for work in found] == [("a.png", True), ("a.png", False)]
    assert found[0].state == found[1].state


def test_what_is_not_to_be_foretold_is_yielded_once(tmp_path: Path) -> None:
    source = foretelling(tmp_path, foretell=False, settling=Settling(0.5))

    with watched(source) as wait_for:
        wait_until_listened_to(tmp_path)
        put(tmp_path / "a.png", b"x")
        found = wait_for(1)

    assert [work.is_settling for work in found] == [False]


def test_what_is_known_is_not_foretold(tmp_path: Path) -> None:
    def knows(name: bytes, _state: FileState) -> bool:
        return name == b"known.png"

    source = foretelling(tmp_path, knows=knows, settling=Settling(0.5))

    with watched(source) as wait_for:
        wait_until_listened_to(tmp_path)
        put(tmp_path / "known.png", b"x")
        put(tmp_path / "new.png", b"x")
        found = wait_for(2)

    assert [(work.source, work.is_settling) for work in found] == [("new.png", True), ("new.png", False)]


@pytest.mark.parametrize("fault", ["gone", "written", "unreadable", "hangs"])
def test_what_settles_and_cannot_be_read_is_neither_said_nor_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    notes, health, back = list[str](), Health(), threading.Event()
    monkeypatch.setattr(patience, "_TICK_SECONDS", 0.01)
    read_really = reading.read_file

    def read_file(root: str, name: bytes, state: FileState, max_bytes: int) -> object:
        if fault == "unreadable":
            return OSError(errno.EIO, "input/output error")
        if fault == "hangs":
            assert back.wait(DEADLINE)
        elif fault == "gone":
            (tmp_path / "a.png").unlink()
        else:
            (tmp_path / "a.png").write_bytes(b"another")
        return read_really(root, name, state, max_bytes)

    monkeypatch.setattr(attempts, "read_file", read_file)

    def scanner() -> None:
        wait_until_listened_to(tmp_path)
        put(tmp_path / "a.png", b"x")

    source = foretelling(tmp_path, settling=Settling(NEVER), read_seconds=0.05, note=notes.append, health=health)
    threading.Thread(target=scanner).start()
    stop = threading.Event()
    with closing(cast(Generator[Work, None, None], source.work(stop))) as found:
        work = next(found)
        read = source.read(work)
        stop.set()
    back.set()

    assert work.is_settling
    assert read is None
    assert notes == []
    assert health.snapshot().last_error is None


# A share that does not answer


def test_a_read_that_does_not_return_is_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path / "hangs.png", b"x", age=100)
    for number in range(3):
        put(tmp_path / f"{number}.png", b"x")
    back = threading.Event()
    monkeypatch.setattr(patience, "_TICK_SECONDS", 0.01)
    monkeypatch.setattr(retry, "BACKOFF", (0.01,) * 5)
    read = reading.read_file

    def hang(root: str, name: bytes, state: FileState, max_bytes: int) -> object:
        if name == b"hangs.png" and not back.is_set():
            assert back.wait(DEADLINE)
        return read(root, name, state, max_bytes)

    monkeypatch.setattr(attempts, "read_file", hang)
    source = FolderSource(tmp_path, nothing_known, once=True, settling=Settling(0.0), read_seconds=0.05)

    given = read_all(source, lambda name: back.set() if name == "2.png" else None)

    assert list(given) == ["0.png", "1.png", "2.png", "hangs.png"]


def test_a_folder_that_does_not_answer_is_said_to_and_does_not_keep_the_program_from_ending(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(tmp_path / "a.png", b"x")
    back, stop, notes, health = threading.Event(), threading.Event(), list[str](), Health()
    monkeypatch.setattr(patience, "_TICK_SECONDS", 0.01)
    monkeypatch.setattr(telling, "SILENT_SECONDS", 0.03)

    def stat(path: str) -> os.stat_result:
        assert back.wait(DEADLINE)
        return os.lstat(path)

    def note(sentence: str) -> None:
        notes.append(sentence)
        health.beat()
        health.beat_with("read-ahead")
        stop.set()

    source = FolderSource(tmp_path, nothing_known, settling=Settling(0.0, stat=stat), note=note, health=health)

    assert list(source.work(stop)) == []

    back.set()
    assert notes == [f"{tmp_path} has not answered for a minute or more; it is waited for"]
    assert [one.reason for one in health.snapshot().degraded] == notes


def test_a_folder_that_answers_again_is_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path / "a.png", b"x")
    back, notes, health = threading.Event(), list[str](), Health()
    monkeypatch.setattr(patience, "_TICK_SECONDS", 0.01)
    monkeypatch.setattr(telling, "SILENT_SECONDS", 0.6)

    def stat(path: str) -> os.stat_result:
        assert back.wait(DEADLINE)
        return os.lstat(path)

    def note(sentence: str) -> None:
        notes.append(sentence)
        back.set()

    source = FolderSource(
        tmp_path, nothing_known, once=True, settling=Settling(0.0, stat=stat), note=note, health=health
    )

    assert [w.source for w in source.work(threading.Event())] == ["a.png"]

    assert notes[1] == f"{tmp_path} answers again"
    assert not health.snapshot().degraded


def test_a_folder_whose_last_answer_is_late_is_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    notes, health, told = list[str](), Health(), threading.Event()
    monkeypatch.setattr(patience, "_TICK_SECONDS", 0.01)
    monkeypatch.setattr(telling, "SILENT_SECONDS", 0.03)

    class LateToEnd(FolderEvents):
        def stop(self) -> None:
            assert not self.alive or told.wait(DEADLINE)
            super().stop()

    def note(sentence: str) -> None:
        notes.append(sentence)
        told.set()

    source = FolderSource(tmp_path, nothing_known, once=True, events=LateToEnd, note=note, health=health)

    assert list(source.work(threading.Event())) == []

    assert notes[-1] == f"{tmp_path} answers again"
    assert not health.snapshot().degraded


# A file system without events


def on_a_share(root: str, events: FolderEvents, *, retry: float, monotonic: Callable[[], float]) -> Listening:
    return Listening(root, events, retry=retry, monotonic=monotonic, silent=lambda _: "nfs4")


class SilentObserver(BaseObserver):
    """Hears nothing, as on a share that others write to."""

    def __init__(self) -> None:
        super().__init__(EventEmitter)


def test_a_share_is_polled(tmp_path: Path) -> None:
    notes, health = list[str](), Health()
    source = FolderSource(
        tmp_path,
        nothing_known,
        settling=Settling(0.01),
        events=partial(FolderEvents, observer=SilentObserver),
        listening=on_a_share,
        rescan=NEVER,
        poll=0.02,
        note=notes.append,
        health=health,
    )

    with watched(source) as wait_for:
        wait_until(lambda: bool(notes))
        put(tmp_path / "a.png", b"x")
        wait_for(1)

    assert "(nfs4) that does not tell of what other machines put there" in notes[0]
    assert "it is looked through every 0.02 s" in notes[0]
    assert not health.snapshot().degraded  # so it is, and nobody can mend it


def test_without_a_watch_for_each_folder_the_state_is_degraded_until_there_are_enough(tmp_path: Path) -> None:
    left = [OSError(errno.ENOSPC, "No space left on device")]
    notes, health = list[str](), Health()
    source = FolderSource(
        tmp_path,
        nothing_known,
        settling=Settling(0.01),
        listening=lambda root, events, retry, monotonic: Listening(
            root,
            events,
            retry=min(retry, 0.01),
            monotonic=monotonic,
            out_of_watches=lambda _: left[0] if left else None,
        ),
        rescan=0.02,
        note=notes.append,
        health=health,
    )

    with watched(source):
        wait_until(lambda: bool(health.snapshot().degraded))
        assert "fs.inotify.max_user_watches" in health.snapshot().degraded[0].reason
        left.clear()
        wait_until(lambda: not health.snapshot().degraded)

    assert notes[-1] == f"{tmp_path} tells of what arrives again"


# A folder that is moved or linked


def test_a_subfolder_replaced_by_a_link_before_a_file_in_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ward = tmp_path / "in" / "ward"
    put(ward / "a.png", b"x")
    source = FolderSource(tmp_path / "in", nothing_known, once=True, settling=Settling(0.0))

    def replace() -> None:
        ward.rename(tmp_path / "outside")
        ward.symlink_to(tmp_path / "outside")

    between_found_and_read(monkeypatch, replace)

    given = read_all(source)

    assert list(given) == ["ward"]
    assert isinstance(given["ward"], ImageError)


def test_a_burst_of_events_of_one_file_makes_it_look_through_the_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kernel's queue may have overflowed, though all that was heard is of one name."""
    monkeypatch.setattr(folder_module, "_BURST", 5)
    deaf: list[FolderEvents] = []

    class Muffled(FolderEvents):
        def start(self) -> None:
            deaf.append(self)

        alive = True

    put(tmp_path / "there.png", b"x")
    source = FolderSource(tmp_path, nothing_known, settling=Settling(0.0), events=Muffled, rescan=NEVER)

    with watched(source) as wait_for:
        wait_for(1)
        put(tmp_path / "unheard.png", b"22")
        for _ in range(5):
            deaf[0].on_any_event(FileModifiedEvent(str(tmp_path / "gone.png")))
        found = wait_for(2)

    assert found[1].source == "unheard.png"


def test_another_order_and_limit_are_taken_over_at_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for age in (40, 30, 20, 10):
        put(tmp_path / f"{age}.png", b"x" * age, age=age)
    source = FolderSource(tmp_path, nothing_known, settling=Settling(0.0))
    between_found_and_read(monkeypatch, lambda: source.change(WatchSettings(order="newest", settle=0.0), 25))
    work = source.work(stop := threading.Event())

    found = [next(work) for _ in range(4)]
    stop.set()
    work.close()  # type: ignore[attr-defined]

    assert [w.source for w in found] == ["40.png", "10.png", "20.png", "30.png"]
    assert isinstance(source.read(found[1]), bytes)
    assert isinstance(source.read(found[3]), ImageError)
