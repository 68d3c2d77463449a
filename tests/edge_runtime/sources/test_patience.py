import threading
import time
from collections.abc import Iterator

import pytest

from edge_runtime.sources import patience as patience_module
from edge_runtime.sources.patience import Patience, Stopped

DEADLINE = 30.0


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience_module, "_TICK_SECONDS", 0.005)


class Share:
    """Does not answer until it is told to."""

    def __init__(self) -> None:
        self.back = threading.Event()
        self.asked_by: list[threading.Thread] = []

    def read(self) -> str:
        self.asked_by.append(threading.current_thread())
        assert self.back.wait(DEADLINE)
        return "data"


@pytest.fixture
def share() -> Iterator[Share]:
    share = Share()
    yield share
    share.back.set()


def test_gives_what_the_call_gives() -> None:
    patience = Patience(threading.Event(), lambda _: None)

    assert [patience.call(lambda number=number: number) for number in range(3)] == [0, 1, 2]  # type: ignore[misc]
    with pytest.raises(ZeroDivisionError):
        patience.call(lambda: 1 / 0)
    assert patience.call(lambda: threading.current_thread()) is not threading.current_thread()
    patience.end()


def test_says_how_long_it_has_waited(share: Share) -> None:
    waits: list[float] = []

    def waiting(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 5:
            share.back.set()

    assert Patience(threading.Event(), waiting).call(share.read) == "data"

    assert waits == sorted(waits)
    assert waits[-1] > 0.0


def test_the_end_is_heard_while_a_call_does_not_return(share: Share) -> None:
    stop = threading.Event()
    patience = Patience(stop, lambda _: stop.set())

    with pytest.raises(Stopped):
        patience.call(share.read)


def test_a_call_is_left_behind_and_the_next_one_made(share: Share) -> None:
    patience = Patience(threading.Event(), lambda _: None)

    with pytest.raises(TimeoutError):
        patience.call(share.read, limit=0.01)

    assert patience.call(lambda: "another") == "another"


def test_no_more_than_four_are_left_behind(share: Share) -> None:
    waits: list[float] = []
    patience = Patience(threading.Event(), waits.append)
    for _ in range(4):
        with pytest.raises(TimeoutError):
            patience.call(share.read, limit=0.01)
    slow = Share()
    waits.clear()
    threading.Timer(0.1, slow.back.set).start()

    assert patience.call(slow.read, limit=0.01) == "data"  # waited for beyond its limit

    assert len(set(share.asked_by + slow.asked_by)) == 5
    assert waits[-1] > 0.01


def test_one_that_has_returned_makes_room_for_another(share: Share) -> None:
    patience = Patience(threading.Event(), lambda _: None)
    for _ in range(4):
        with pytest.raises(TimeoutError):
            patience.call(share.read, limit=0.01)
    share.back.set()
    for thread in share.asked_by:
        thread.join(DEADLINE)
    again = Share()

    with pytest.raises(TimeoutError):
        patience.call(again.read, limit=0.01)
    again.back.set()


def test_a_call_is_made_while_something_else_is_done(share: Share) -> None:
    patience = Patience(threading.Event(), lambda _: None)

    call = patience.begin(share.read)
    share.back.set()

    assert patience.result(call) == "data"


def test_who_waits_says_what_is_too_long(share: Share) -> None:
    waits: list[float] = []
    patience = Patience(threading.Event(), lambda _: None)

    def is_too_long(seconds: float) -> bool:
        waits.append(seconds)
        return len(waits) == 3

    with pytest.raises(TimeoutError):
        patience.result(patience.begin(share.read), is_too_long)

    assert waits == sorted(waits)
    assert patience.call(lambda: "another") == "another"


def test_its_thread_ends() -> None:
    patience = Patience(threading.Event(), lambda _: None)
    thread = patience.call(threading.current_thread)

    patience.end()

    deadline = time.monotonic() + DEADLINE
    while thread.is_alive():
        assert time.monotonic() < deadline
        time.sleep(0.005)
