import errno
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from watchdog.observers import Observer
from watchdog.observers.api import BaseObserver

from edge_runtime.sources.events import FolderEvents
from edge_runtime.sources.listening import Listening, no_watch_left

RETRY = 60.0
NO_WATCH = OSError(errno.ENOSPC, "No space left on device")


class System:
    """What can be had of the system at the moment."""

    def __init__(self) -> None:
        self.now = 0.0
        self.start_error: OSError | None = None
        self.watch_error: OSError | None = None
        self.kind: str | None = None
        self.starts = 0

    def observer(self) -> BaseObserver:
        self.starts += 1
        if self.start_error is not None:
            raise self.start_error
        return Observer()


@pytest.fixture
def system() -> System:
    return System()


@pytest.fixture
def listen(tmp_path: Path, system: System) -> Iterator[Callable[[], Listening]]:
    with ExitStack() as stack:

        def make() -> Listening:
            events = FolderEvents(tmp_path, threading.Event(), observer=system.observer)
            stack.callback(events.stop)
            return Listening(
                str(tmp_path),
                events,
                retry=RETRY,
                monotonic=lambda: system.now,
                silent=lambda _: system.kind,
                out_of_watches=lambda _: system.watch_error,
            )

        yield make


def test_a_local_folder_is_relied_on(listen: Callable[[], Listening], system: System) -> None:
    listening = listen()

    listening.attend()
    listening.attend()

    assert listening.is_reliable
    assert (listening.trouble(5.0), listening.peculiarity(5.0)) == (None, None)
    assert system.starts == 1


def test_rule_1_a_share_is_polled_and_that_is_no_trouble(
    listen: Callable[[], Listening], system: System, tmp_path: Path
) -> None:
    system.kind = "nfs4"
    listening = listen()

    listening.attend()

    assert not listening.is_reliable
    assert listening.trouble(5.0) is None
    assert listening.peculiarity(5.0) == (
        f"{tmp_path} lies on a file system (nfs4) that does not tell of what other machines put there: "
        "it is looked through every 5 s"
    )


@pytest.mark.parametrize(
    ("number", "sentence"),
    [
        (errno.ENOSPC, "raise fs.inotify.max_user_watches (sysctl -w fs.inotify.max_user_watches=524288"),
        (errno.EMFILE, "raise fs.inotify.max_user_instances (sysctl -w fs.inotify.max_user_instances=1024"),
        (errno.EACCES, "no events from {} (Permission denied): it is looked through every 5 s instead"),
    ],
)
def test_rules_2_and_3_what_keeps_events_away_is_said(
    listen: Callable[[], Listening], system: System, tmp_path: Path, number: int, sentence: str
) -> None:
    system.start_error = OSError(number, os.strerror(number))
    listening = listen()

    listening.attend()

    assert not listening.is_reliable
    trouble = listening.trouble(5.0)
    assert trouble is not None
    assert sentence.format(tmp_path) in trouble


def test_rule_2_a_subfolder_without_a_watch_counts_too(listen: Callable[[], Listening], system: System) -> None:
    listening = listen()
    listening.attend()
    before = listening.is_reliable

    system.watch_error = NO_WATCH  # a new subfolder took the last one
    listening.attend()

    assert (before, listening.is_reliable) == (True, False)
    assert system.starts == 1


def test_rule_2_events_are_tried_again_now_and_then(listen: Callable[[], Listening], system: System) -> None:
    system.watch_error = NO_WATCH
    listening = listen()
    for system.now in (0.0, 5.0, RETRY - 1):
        listening.attend()
    assert system.starts == 1
    system.watch_error = None
    listening.attend()
    assert not listening.is_reliable  # folders may still go unheard

    system.now = RETRY
    listening.attend()

    assert system.starts == 2
    assert listening.is_reliable


def test_a_folder_that_is_not_there(listen: Callable[[], Listening], system: System, tmp_path: Path) -> None:
    listening = listen()
    listening.attend()
    tmp_path.rename(tmp_path.with_name("away"))

    with pytest.raises(FileNotFoundError):
        listening.attend()
    tmp_path.mkdir()
    listening.attend()

    assert system.starts == 2
    assert listening.is_reliable


def test_this_system_has_a_watch_left(tmp_path: Path) -> None:
    handles = sum(1 for _ in Path("/proc/self/fd").iterdir())

    assert no_watch_left(str(tmp_path)) is None
    assert no_watch_left(str(tmp_path / "nowhere")) is None
    assert sum(1 for _ in Path("/proc/self/fd").iterdir()) == handles
