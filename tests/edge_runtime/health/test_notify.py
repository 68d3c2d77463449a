import contextlib
import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge_runtime.health.health import Health
from edge_runtime.health.notify import Heartbeat, Notifier, Speaker, describe
from tests.edge_runtime.clocks import HandClock
from tests.edge_runtime.findings import classified, rejected


class Manager:
    """A service manager's end of the socket."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind("\0" + address[1:] if address.startswith("@") else address)
        self.socket.settimeout(10)

    def next(self) -> dict[str, str]:
        lines = self.socket.recv(4096).decode().split("\n")
        return dict(line.split("=", 1) for line in lines)

    def waiting(self) -> list[dict[str, str]]:
        self.socket.setblocking(False)
        found = []
        try:
            while True:
                found.append(self.next())
        except BlockingIOError:
            self.socket.settimeout(10)
            return found


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    manager = Manager(str(tmp_path / "notify"))
    yield manager
    manager.socket.close()


def test_each_message_is_a_datagram_of_the_protocol(manager: Manager) -> None:
    notifier = Notifier(manager.address)

    sent = [
        notifier.ready("ready"),
        notifier.status("working;\n3 waiting"),
        notifier.reloading(monotonic_ns=lambda: 12_345_678),
        notifier.extend(1.5),
        notifier.heartbeat(),
        notifier.stopping(),
    ]

    assert all(sent)
    assert manager.waiting() == [
        {"READY": "1", "STATUS": "ready"},
        {"STATUS": "working; 3 waiting"},
        {"RELOADING": "1", "MONOTONIC_USEC": "12345"},
        {"EXTEND_TIMEOUT_USEC": "1500000"},
        {"WATCHDOG": "1"},
        {"STOPPING": "1", "STATUS": "stopping"},
    ]


def test_an_abstract_socket_is_found() -> None:
    manager = Manager(f"@edge-pneumo-test-{os.getpid()}")

    assert Notifier(manager.address).ready()
    assert manager.waiting() == [{"READY": "1"}]
    manager.socket.close()


def test_reloading_tells_the_time_of_the_managers_clock(manager: Manager) -> None:
    Notifier(manager.address).reloading()

    microseconds = int(manager.next()["MONOTONIC_USEC"])
    assert microseconds == pytest.approx(_monotonic_microseconds(), abs=60e6)


def _monotonic_microseconds() -> int:
    import time

    return time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000


def test_nobody_to_tell_is_no_trouble(tmp_path: Path) -> None:
    assert not Notifier().ready()
    assert not Notifier(str(tmp_path / "gone")).ready()
    assert not Notifier("/" + "x" * 200).ready()  # too long for a socket's address


def test_a_manager_that_does_not_read_is_not_waited_for(manager: Manager) -> None:
    notifier = Notifier(manager.address)
    manager.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)

    while notifier.status("x" * 300):
        pass

    assert manager.waiting()  # those that it got; the rest was given up


def test_the_variables_are_taken_away_and_obeyed(manager: Manager) -> None:
    environment = {
        "NOTIFY_SOCKET": manager.address,
        "WATCHDOG_USEC": "30000000",
        "WATCHDOG_PID": "77",
        "HOME": "/",
    }

    notifier = Notifier.from_environment(environment, pid=77)

    assert environment == {"HOME": "/"}
    assert (notifier.is_heard, notifier.watchdog) == (True, 30.0)


@pytest.mark.parametrize(
    ("microseconds", "pid", "watchdog"),
    [
        ("30000000", "", 30.0),
        ("30000000", "78", None),  # another process is watched
        ("", "77", None),
        ("0", "77", None),
        ("soon", "77", None),
        ("-5", "77", None),
    ],
)
def test_a_heartbeat_is_owed_only_where_it_is_asked_of_this_process(
    microseconds: str, pid: str, watchdog: float | None
) -> None:
    environment = {"NOTIFY_SOCKET": "/run/x", "WATCHDOG_USEC": microseconds, "WATCHDOG_PID": pid}

    assert Notifier.from_environment(environment, pid=77).watchdog == watchdog


@pytest.mark.parametrize("address", ["", "/", "@", "vsock:2:1234", "notify", "relative/path"])
def test_other_addresses_are_nobodys(address: str) -> None:
    notifier = Notifier.from_environment({"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "1"}, pid=1)

    assert (notifier.is_heard, notifier.watchdog) == (False, None)


# When a heartbeat is sent


def sent(interval: float, beats: list[tuple[float, int]]) -> list[float]:
    heartbeat = Heartbeat(interval)
    return [now for now, count in beats if heartbeat.is_due(now, count)]


def test_beats_are_passed_on_at_half_the_interval() -> None:
    assert sent(10, [(float(now), now) for now in range(21)]) == [0, 5, 10, 15, 20]


def test_no_beat_no_heartbeat() -> None:
    assert sent(10, [(float(now), min(now, 7)) for now in range(60)]) == [0, 5, 10]


def test_a_late_beat_is_passed_on_as_soon_as_it_comes() -> None:
    assert sent(10, [(float(now), 1 if now < 8 else 2) for now in range(12)]) == [0, 8]


def test_the_speaker_sends_a_heartbeat_only_when_the_inference_moved(manager: Manager) -> None:
    hand = HandClock()
    health = Health(clock=hand.clock)
    speaker = Speaker(Notifier(manager.address, watchdog=10.0), health, seconds=hand.seconds)
    heartbeats = []
    for moves in (True, True, False, False, True):
        if moves:
            health.beat()
        speaker.turn()
        heartbeats.append(sum("WATCHDOG" in message for message in manager.waiting()))
        hand.wait(5)

    assert heartbeats == [1, 1, 0, 0, 1]


def test_a_thread_of_its_own_speaks_until_the_end_and_says_that_it_comes(manager: Manager) -> None:
    health, stop = Health(), threading.Event()
    messages: list[dict[str, str]] = []
    with Speaker(Notifier(manager.address, watchdog=0.05), health, stop):
        while sum("WATCHDOG" in message for message in messages) < 3:
            health.beat()
            messages.append(manager.next())
        stop.set()
        while "STOPPING" not in messages[-1]:
            messages.append(manager.next())

    left = manager.waiting()
    health.beat()
    assert manager.waiting() == []
    assert not any("STOPPING" in message for message in left)  # it was said once
    assert any("STATUS" in message for message in messages)


def test_a_hung_inference_ends_the_heartbeat_of_a_real_thread(manager: Manager) -> None:
    health = Health()
    health.beat()
    with Speaker(Notifier(manager.address, watchdog=0.05), health):
        while "WATCHDOG" not in manager.next():
            pass
        for _ in range(20):  # the others go on
            health.moved("read-ahead")
            health.moved("write-behind")
        manager.socket.settimeout(0.5)  # ten intervals
        heard = list(until_silence(manager))

    assert not any("WATCHDOG" in message for message in heard)


def until_silence(manager: Manager) -> Iterator[dict[str, str]]:
    with contextlib.suppress(TimeoutError):
        while True:
            yield manager.next()


def test_nobody_is_spoken_to_by_nobody() -> None:
    with Speaker(Notifier(), Health()) as speaker:
        assert not speaker._thread.is_alive()


def test_the_sentence_names_no_radiograph() -> None:
    health = Health()
    health.beat()
    for finding in (classified("MUSTERMANN_MAX.png"), rejected("MUSTERMANN_MAX.png")):
        health.accept(finding)
    health.waiting(4, more=True)
    health.fail("MUSTERMANN_MAX.png cannot be read")
    health.degrade("1 unreadable for now (MUSTERMANN_MAX.png: stale file handle)", part="folder")
    health.pause("findings cannot be written to /srv/results (No space left on device)")

    assert describe(health.snapshot()) == (
        "paused; findings cannot be written to /srv/results (No space left on device); not as it should be: folder "
        "(edge-pneumo status says why); 2 findings since the start, 1 of them rejected; 4 or more waiting"
    )
