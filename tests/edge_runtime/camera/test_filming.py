"""Frames to films to files, with cameras and a disk that do as they are told."""

import errno
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest

from edge_runtime.camera import photographer
from edge_runtime.camera.choice import Choice
from edge_runtime.camera.eye import Wanted
from edge_runtime.camera.filming import Filming
from edge_runtime.camera.interface import CameraError
from edge_runtime.camera.supervising import SupervisedCamera
from edge_runtime.config.settings import CameraSettings
from edge_runtime.errors import EdgePneumoError
from edge_runtime.health.health import Health
from edge_runtime.watch.disposal import rename_to_new
from edge_runtime.watch.insist import Backoff
from tests.edge_runtime.camera.doubles import DEADLINE, BrightFilms, FakeEye, empty, make_eyes, video, with_film

QUICK = Backoff(first=0.01, last=0.02, once=0.05)
LIVE = CameraSettings(device="0", preview=False)


class Set:
    """A filming with all that surrounds it, until it has come so far."""

    def __init__(
        self, place: Path, settings: CameraSettings, *eyes: FakeEye, once: bool = False, runtime: Path | None = None
    ) -> None:
        self.folder, self.results = place / "films", place / "results"
        self.folder.mkdir()
        self.results.mkdir()
        self.stop, self.health, self.notes = threading.Event(), Health(), list[str]()
        self.kept: list[str] = []
        self.trackers: list[float] = []
        self.opened: list[Wanted] = []
        self._changed = threading.Condition()
        make = make_eyes(*eyes) if eyes else None

        def opened(wanted: Wanted) -> FakeEye:
            assert make is not None
            self.opened.append(wanted)
            return make(wanted)

        def supervised(choice: Choice, wanted: CameraSettings) -> SupervisedCamera:
            return SupervisedCamera(
                choice,
                wanted.width,
                wanted.height,
                stop=self.stop,
                health=self.health,
                note=self.note,
                once=once,
                backoff=QUICK,
                eye=opened if make else None,
            )

        def tracks(still: float) -> BrightFilms:
            self.trackers.append(still)
            return BrightFilms()

        self.filming = Filming(
            self.folder,
            self.results,
            settings,
            stop=self.stop,
            health=self.health,
            note=self.note,
            runtime=runtime,
            once=once,
            backoff=QUICK,
            supervised=supervised,
            tracks=tracks,
        )

    def note(self, sentence: str) -> None:
        with self._changed:
            self.notes.append(sentence)
            self._changed.notify_all()

    def keep(self, name: bytes) -> None:
        with self._changed:
            self.kept.append(name.decode())
            self._changed.notify_all()

    def wait_for(self, condition: Callable[[], object]) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: bool(condition()), DEADLINE), self.notes

    @contextmanager
    def going_on(self) -> Iterator[None]:
        with self.filming.going_on(self.keep, lambda _: False):
            yield

    def films(self) -> list[str]:
        return sorted(path.name for path in self.folder.iterdir())

    def degraded(self) -> list[str]:
        return [trouble.reason for trouble in self.health.snapshot().degraded if trouble.part == "camera"]


def script(*items: object) -> FakeEye:
    return FakeEye(iter(items))  # type: ignore[arg-type]


def endless(*items: object) -> FakeEye:
    def all_of() -> Iterator[object]:
        yield from items
        while True:
            yield items[-1]

    return FakeEye(all_of())  # type: ignore[arg-type]


def test_each_film_is_kept_once(tmp_path: Path) -> None:
    film, other = with_film(seed=1), with_film(seed=2)
    room = Set(tmp_path, LIVE, endless(empty(), film, film, film, empty(), other, other))

    with room.going_on():
        room.wait_for(lambda: len(room.kept) == 2)

    assert room.films() == sorted(room.kept)
    assert len(list(room.results.glob("*.photograph.jpg"))) == 2


def test_film_is_not_taken_again_when_its_camera_comes_back(tmp_path: Path) -> None:
    film, done = with_film(seed=1), threading.Event()
    room = Set(
        tmp_path,
        LIVE,
        script(film, film, CameraError("gives no more pictures")),
        endless(film, film, film, done.set, film),
    )

    with room.going_on():
        assert done.wait(DEADLINE)

    assert len(room.films()) == 1
    assert [note.partition(";")[0] for note in room.notes] == [
        "the camera /dev/video0 gives no more pictures",
        "the camera /dev/video0 works again",
    ]


def test_button_has_the_same_film_taken_again(tmp_path: Path) -> None:
    room = Set(tmp_path, LIVE, endless(with_film()))

    with room.going_on():
        room.wait_for(lambda: room.kept)
        room.filming.renew()
        room.wait_for(lambda: len(room.kept) == 2)


def test_film_stays_in_memory_while_the_disk_is_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rename, is_full = rename_to_new, True

    def full(source: int, name: bytes, target: int, new: bytes) -> None:
        if is_full and new.endswith(b".png"):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        rename(source, name, target, new)

    monkeypatch.setattr(photographer, "rename_to_new", full)
    room = Set(tmp_path, LIVE, endless(with_film(), empty()))

    with room.going_on():
        room.wait_for(lambda: room.notes)
        during, held = room.degraded(), room.films()
        is_full = False
        room.wait_for(lambda: len(room.notes) == 2)
        after = room.degraded()

    sentence = f"films cannot be kept in {room.folder} or beside the findings (No space left on device)"
    assert (during, held, after) == ([sentence], [], [])
    assert room.notes == [
        f"{sentence}; it is tried again every 0 s or sooner, and no other film is taken meanwhile",
        f"films can be kept in {room.folder} again",
    ]
    assert len(room.films()) == 1


def test_fault_in_the_finder_is_said_and_begun_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    look, count = BrightFilms.look, 0

    def fails(self: BrightFilms, frame: object, seconds: float) -> object:
        nonlocal count
        count += 1
        if count == 1:
            raise ValueError("a corner is missing")
        return look(self, frame, seconds)  # type: ignore[arg-type]

    monkeypatch.setattr(BrightFilms, "look", fails)
    room = Set(tmp_path, LIVE, endless(with_film()))

    with room.going_on():
        room.wait_for(lambda: room.kept)

    assert room.notes == ["films cannot be taken (ValueError: a corner is missing); it is begun anew"]


def test_other_settings_restart_the_camera_and_no_film_is_taken_twice(tmp_path: Path) -> None:
    film, seen = with_film(), threading.Event()
    first, second = endless(film), endless(film, film, seen.set, film)
    room = Set(tmp_path, LIVE, first, second)

    with room.going_on():
        room.wait_for(lambda: room.kept)
        room.filming.change(msgspec.structs.replace(LIVE, device="1", width=1280))
        assert seen.wait(DEADLINE)

    assert [(wanted.device, wanted.width) for wanted in room.opened] == [("0", 1920), ("1", 1280)]
    assert first.closings == 1
    assert len(room.kept) == 1


def test_camera_may_come_and_go_with_the_settings(tmp_path: Path) -> None:
    room = Set(tmp_path, CameraSettings(), endless(with_film()))

    with room.going_on():
        threads = [thread.name for thread in threading.enumerate()]
        room.filming.change(LIVE)
        room.wait_for(lambda: room.kept)
        room.filming.change(CameraSettings())

    assert "camera" not in threads
    assert room.filming.is_over


def test_once_ends_with_the_first_film(tmp_path: Path) -> None:
    room = Set(tmp_path, LIVE, endless(empty(), with_film(), empty()), once=True)
    assert not room.filming.is_over

    with room.going_on():
        room.wait_for(lambda: room.filming.is_over or room.kept)

    assert len(room.kept) == 1
    assert room.filming.is_over


def test_once_gives_up_a_camera_that_is_not_there(tmp_path: Path) -> None:
    room = Set(tmp_path, LIVE, FakeEye(iter(()), opens=CameraError("is not there")), once=True)

    with pytest.raises(EdgePneumoError, match="the camera /dev/video0 is not there, and did not for"), room.going_on():
        assert room.stop.wait(DEADLINE)


def test_video_is_looked_at_to_its_end(tmp_path: Path) -> None:
    file = video(tmp_path / "v.avi", [empty(), with_film(), with_film(), empty(), with_film(seed=3), empty()])
    room = Set(tmp_path, CameraSettings(device=str(file), preview=False))

    with room.going_on():
        room.wait_for(lambda: room.notes)

    assert len(room.kept) == 2
    assert room.notes == ["the video v.avi has ended"]
    assert room.filming.is_over


def test_preview_goes_where_memory_is_and_is_gone_at_the_end(tmp_path: Path) -> None:
    memory, seen = tmp_path / "run", threading.Event()
    memory.mkdir()
    there: list[bool] = []

    def look() -> None:
        there.append((memory / "preview.jpg").exists())
        seen.set()

    room = Set(tmp_path, CameraSettings(device="0"), endless(empty(), look, empty()), runtime=memory)

    with room.going_on():
        assert seen.wait(DEADLINE)

    assert there[0]
    assert list(memory.iterdir()) == []
    assert not (room.results / "preview.jpg").exists()


def test_preview_says_that_the_camera_is_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from edge_runtime.camera.preview import Preview

    said, heard = list[str](), threading.Event()

    def say(_: Preview, sentence: str) -> bool:
        said.append(sentence)
        heard.set()
        return True

    monkeypatch.setattr(Preview, "say", say)
    room = Set(tmp_path, LIVE, FakeEye(iter(()), opens=CameraError("is not there; plug it in")))

    with room.going_on():
        assert heard.wait(DEADLINE)

    assert said[0] == "the camera /dev/video0 is not there; plug it in"
