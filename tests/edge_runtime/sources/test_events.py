import errno
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
from watchdog.events import (
    DirCreatedEvent,
    FileClosedEvent,
    FileCreatedEvent,
    FileModifiedEvent,
    FileMovedEvent,
    FileOpenedEvent,
    FileSystemEvent,
)
from watchdog.observers import Observer
from watchdog.observers.api import BaseObserver

from edge_runtime.sources import events as events_module
from edge_runtime.sources.events import FolderEvents
from edge_runtime.sources.settle import Heard


@pytest.fixture
def events(tmp_path: Path) -> Iterator[FolderEvents]:
    events = FolderEvents(tmp_path, threading.Event())
    yield events
    events.stop()


def heard_until(events: FolderEvents, condition: Callable[[dict[str, Heard]], bool]) -> dict[str, Heard]:
    heard: dict[str, Heard] = {}
    deadline = time.monotonic() + 30
    while not condition(heard):
        assert time.monotonic() < deadline, heard
        heard |= events.drain()[0]
        time.sleep(0.005)
    return heard


def test_a_writer_is_heard_until_it_closes(tmp_path: Path, events: FolderEvents) -> None:
    path = str(tmp_path / "a.png")
    assert events.start() is None
    assert events.alive

    with (tmp_path / "a.png").open("wb") as file:
        file.write(b"x")
        file.flush()
        heard_until(events, lambda heard: heard.get(path) is Heard.WRITTEN)

    heard_until(events, lambda heard: heard.get(path) is Heard.CLOSED)


def test_reading_is_no_event(tmp_path: Path, events: FolderEvents) -> None:
    (tmp_path / "a.png").write_bytes(b"x")
    assert events.start() is None

    (tmp_path / "a.png").read_bytes()
    (tmp_path / "b.png").write_bytes(b"x")

    heard = heard_until(events, lambda heard: heard.get(str(tmp_path / "b.png")) is Heard.CLOSED)
    assert list(heard) == [str(tmp_path / "b.png")]


def test_the_last_thing_heard_counts_and_wakes(tmp_path: Path) -> None:
    wake = threading.Event()
    events = FolderEvents(tmp_path, wake)

    for event in (FileModifiedEvent("a"), FileModifiedEvent("b"), FileClosedEvent("a"), FileMovedEvent("x", "c")):
        events.on_any_event(event)
    events.on_any_event(FileOpenedEvent("d"))

    assert wake.is_set()
    assert events.drain() == ({"b": Heard.WRITTEN, "a": Heard.CLOSED, "c": Heard.CLOSED}, False)
    assert events.drain() == ({}, False)


@pytest.mark.parametrize("came", [partial(FileMovedEvent, "/watched/.film"), FileCreatedEvent, FileClosedEvent])
def test_what_this_program_put_there_stays_complete_when_its_coming_is_heard_of(
    tmp_path: Path, came: Callable[[str], FileSystemEvent]
) -> None:
    events = FolderEvents(tmp_path, threading.Event())

    events.tell("/watched/film.png", Heard.COMPLETE)
    events.on_any_event(came("/watched/film.png"))

    assert events.drain()[0] == {"/watched/film.png": Heard.COMPLETE}


def test_what_this_program_put_there_is_no_longer_complete_when_it_is_written_to(tmp_path: Path) -> None:
    events = FolderEvents(tmp_path, threading.Event())

    events.tell("film.png", Heard.COMPLETE)
    events.on_any_event(FileModifiedEvent("film.png"))

    assert events.drain()[0] == {"film.png": Heard.WRITTEN}


def test_what_is_not_kept_is_admitted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events_module, "_MOST_HINTS", 2)
    events = FolderEvents(tmp_path, threading.Event())

    for name in "abcb":
        events.on_any_event(FileClosedEvent(name))

    hints, lost = events.drain()
    assert list(hints) == ["a", "b"]
    assert lost


def test_an_observer_that_cannot_start_leaves_nothing_behind(tmp_path: Path) -> None:
    class Unstartable(BaseObserver):
        def __init__(self) -> None:
            raise OSError(errno.EMFILE, "inotify instance limit reached")

    events = FolderEvents(tmp_path, threading.Event(), observer=Unstartable)

    error = events.start()

    assert error is not None
    assert error.strerror == "inotify instance limit reached"
    assert not events.alive


def test_a_folder_that_is_gone_cannot_be_listened_to(tmp_path: Path) -> None:
    before = threading.active_count()
    events = FolderEvents(tmp_path / "nowhere", threading.Event(), observer=Observer)

    error = events.start()

    assert isinstance(error, FileNotFoundError)
    assert not events.alive
    deadline = time.monotonic() + 30
    while threading.active_count() > before:
        assert time.monotonic() < deadline, threading.enumerate()
        time.sleep(0.005)


def test_starting_again_after_the_folder_was_deleted(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    events = FolderEvents(folder, threading.Event())
    assert events.start() is None
    folder.rmdir()
    deadline = time.monotonic() + 30
    while events.alive:
        assert time.monotonic() < deadline
        time.sleep(0.005)

    folder.mkdir()
    assert events.start() is None
    (folder / "a.png").write_bytes(b"x")

    heard_until(events, lambda heard: str(folder / "a.png") in heard)
    events.stop()


def test_what_lay_in_a_new_folder_is_told_from_what_was_moved_in(tmp_path: Path) -> None:
    events = FolderEvents(tmp_path, threading.Event())
    moved_with_its_folder = FileCreatedEvent("/in/moved/a")
    moved_with_its_folder.is_synthetic = True

    for event in (
        FileCreatedEvent("/in/before"),
        DirCreatedEvent("/in/new"),
        FileCreatedEvent("/in/new/a"),
        DirCreatedEvent("/in/new/deep"),
        FileCreatedEvent("/in/new/deep/b"),
        FileCreatedEvent("/in/other"),
        FileCreatedEvent("/in/new/later"),
        DirCreatedEvent("/in/moved"),
        moved_with_its_folder,
    ):
        events.on_any_event(event)

    assert events.drain()[0] == {
        "/in/before": Heard.CREATED,
        "/in/new/a": Heard.FOUND,
        "/in/new/deep/b": Heard.FOUND,
        "/in/other": Heard.CREATED,
        "/in/new/later": Heard.CREATED,
        "/in/moved/a": Heard.CREATED,
    }


def test_events_are_counted_whatever_they_tell(tmp_path: Path) -> None:
    events = FolderEvents(tmp_path, threading.Event())

    for _ in range(7):
        events.on_any_event(FileModifiedEvent("/in/a"))
    events.drain()

    assert events.count == 7
