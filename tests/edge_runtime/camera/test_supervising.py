import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from edge_runtime.camera.choice import parse
from edge_runtime.camera.eye import Ended, Wanted
from edge_runtime.camera.interface import CameraError
from edge_runtime.camera.supervising import SupervisedCamera
from edge_runtime.errors import EdgePneumoError
from edge_runtime.health.health import Health
from edge_runtime.watch.insist import Backoff
from tests.edge_runtime.camera.doubles import FakeEye, empty, make_eyes


class Room:
    """A supervised camera whose waiting takes no time."""

    def __init__(self, *eyes: FakeEye, once: bool = False, device: str = "0", last: float = 4.0) -> None:
        self.now, self.notes, self.health = 0.0, list[str](), Health()
        self.opened: list[float] = []
        self.waits = Wait(self)
        make = make_eyes(*eyes)

        def opened(wanted: Wanted) -> FakeEye:
            self.opened.append(self.now)
            return make(wanted)

        self.camera = SupervisedCamera(
            parse(device),
            640,
            480,
            stop=self.waits,
            health=self.health,
            note=self.notes.append,
            once=once,
            backoff=Backoff(first=1.0, last=last, once=10.0),
            eye=opened,
            monotonic=lambda: self.now,
        )

    def degraded(self) -> list[tuple[str, str]]:
        return [(trouble.part, trouble.reason) for trouble in self.health.snapshot().degraded]

    def shots_until(self, condition: Callable[[], bool]) -> None:
        for _ in range(1000):
            self.camera.shot()
            if condition():
                return
        raise AssertionError(self.notes)


class Wait(threading.Event):
    """Whose waiting moves the clock."""

    def __init__(self, room: Room) -> None:
        super().__init__()
        self._room = room

    def wait(self, timeout: float | None = None) -> bool:
        self._room.now += timeout or 0.0
        return self.is_set()


def script(*items: object) -> FakeEye:
    return FakeEye(iter(items))  # type: ignore[arg-type]


def test_frames_come_as_they_are() -> None:
    room = Room(script(empty(), empty()))

    shots = [room.camera.shot(), room.camera.shot()]

    assert [shot is not None for shot in shots] == [True, True]
    assert (room.degraded(), room.notes, room.opened) == ([], [], [0.0])


def test_camera_that_is_unplugged_is_said_once_and_taken_again_with_growing_pauses() -> None:
    gone = CameraError("is not there; plug it in")
    away = [FakeEye(iter(()), opens=gone) for _ in range(5)]
    room = Room(script(empty(), CameraError("gives no more pictures")), *away, script(*[empty()] * 9))

    room.shots_until(lambda: len(room.opened) == 6)
    during = room.degraded()
    room.shots_until(lambda: not room.degraded())

    # 1 s after the first failure, 2 s after the next, 4 s and no more after the others.
    assert [later - earlier for earlier, later in zip(room.opened, room.opened[1:], strict=False)] == [1, 2, 4, 4, 4, 4]
    assert during == [("camera", "the camera /dev/video0 is not there; plug it in")]
    assert [note.partition(";")[0] for note in room.notes] == [
        "the camera /dev/video0 gives no more pictures",
        "the camera /dev/video0 is not there",
        "the camera /dev/video0 works again",
    ]


def test_pause_is_short_again_after_it_worked() -> None:
    fails = CameraError("gives no more pictures")
    room = Room(*[script(empty(), fails) for _ in range(4)], script(*[empty()] * 9))

    room.shots_until(lambda: len(room.opened) == 5)

    assert [later - earlier for earlier, later in zip(room.opened, room.opened[1:], strict=False)] == [1, 1, 1, 1]


def test_each_process_is_ended_before_the_next_is_begun() -> None:
    first, second = script(CameraError("hangs")), script(empty())
    room = Room(first, second)

    room.shots_until(lambda: len(room.opened) == 2)

    assert (first.closings, second.closings) == (1, 0)
    room.camera.close()
    assert second.closings == 1


def test_device_that_its_driver_holds_never_gets_a_second_owner() -> None:
    first, second = script(CameraError("has given no picture for 10 s")), script(empty(), empty())
    first.lets_go = False
    room = Room(first, second)
    for _ in range(100):
        room.camera.shot()
    held, opened = room.degraded(), list(room.opened)

    first.lets_go = True
    room.shots_until(lambda: not room.degraded())

    assert opened == [0.0]
    assert held == [
        ("camera", "the camera /dev/video0 is held fast by its driver; unplug it, or switch this machine off and on")
    ]
    assert len(room.opened) == 2


def test_once_gives_up_after_a_while() -> None:
    room = Room(FakeEye(iter(()), opens=CameraError("is not there")), once=True)

    with pytest.raises(EdgePneumoError, match=r"the camera /dev/video0 is not there, and did not for 10 s"):
        room.shots_until(lambda: False)


def test_end_of_a_video_is_none_of_its_failures(tmp_path: Path) -> None:
    file = tmp_path / "v.avi"
    file.write_bytes(b"")
    room = Room(script(empty(), Ended()), device=str(file))
    room.camera.shot()

    with pytest.raises(Ended):
        room.camera.shot()

    assert room.degraded() == []


def test_file_that_is_no_video_is_not_tried_again(tmp_path: Path) -> None:
    file = tmp_path / "v.avi"
    file.write_bytes(b"")
    room = Room(FakeEye(iter(()), opens=CameraError("is no video that can be read")), device=str(file))

    with pytest.raises(EdgePneumoError, match=r"the video v\.avi is no video that can be read"):
        room.camera.shot()


def test_end_that_is_asked_for_is_no_failure() -> None:
    room = Room(script(InterruptedError()))

    assert room.camera.shot() is None
    assert room.notes == []
