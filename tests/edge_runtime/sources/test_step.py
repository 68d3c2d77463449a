import threading
from collections.abc import Generator
from datetime import UTC, datetime

import pytest

from edge_runtime.file_state import FileState
from edge_runtime.sources import Work
from edge_runtime.sources import patience as patience_module
from edge_runtime.sources.patience import Patience
from edge_runtime.sources.step import READ_AT_ONCE_BYTES, Step, steps

DEADLINE = 30.0


def file(name: str, size: int = 1, *, is_settling: bool = False) -> Work:
    state = FileState(size=size, mtime_ns=0, ctime_ns=0, inode=1, mode=0o100644)
    return Work(name, name.encode(), state, datetime.now(UTC), is_settling=is_settling)


def source_of(step: Step) -> str | None:
    return None if step.work is None else step.work.source


def no_more(step: Step) -> None:
    pytest.fail(f"{step.work} was left behind")


def content(work: Work) -> bytes:
    return work.key * 2


def given(items: list[Work | None]) -> list[tuple[str | None, bool, object]]:
    """What each step found, whether it read it, and what that gave."""

    def found() -> Generator[Work | None, None, None]:
        yield from items

    taken = steps(
        found(),
        Patience(threading.Event(), lambda _: None),
        lambda each: Step(each, content, DEADLINE, lambda: 0.0),
        no_more,
    )
    return [(source_of(step), step.is_read, step.data) for step in taken]


def test_what_is_complete_and_small_is_found_and_read_in_one_call() -> None:
    small, large = file("small", READ_AT_ONCE_BYTES), file("large", READ_AT_ONCE_BYTES + 1)

    assert given([small, None, large, file("settles", is_settling=True), file("last")]) == [
        ("small", True, b"smallsmall"),
        (None, False, None),
        ("large", False, None),
        ("settles", False, None),
        ("last", True, b"lastlast"),
    ]


def test_the_next_file_is_looked_for_while_one_is_dealt_with_but_not_while_one_is_to_be_read() -> None:
    asked = [threading.Event() for _ in range(3)]

    def found() -> Generator[Work | None, None, None]:
        for number, event in enumerate(asked):
            event.set()
            yield file(str(number), READ_AT_ONCE_BYTES * 2 if number == 1 else 1)

    patience = Patience(threading.Event(), lambda _: None)
    taken = steps(found(), patience, lambda each: Step(each, content, DEADLINE, lambda: 0.0), no_more)

    next(taken)
    assert asked[1].wait(DEADLINE)
    next(taken)
    assert not asked[2].wait(0.1)
    assert next(taken).data == b"22"
    taken.close()


def test_a_read_that_takes_too_long_is_left_behind_and_looking_for_a_file_is_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(patience_module, "_TICK_SECONDS", 0.005)
    back, waited = threading.Event(), list[float]()

    def waiting(seconds: float) -> None:
        waited.append(seconds)

    def found() -> Generator[Work | None, None, None]:
        while len(waited) < 5:  # longer than a read may take
            threading.Event().wait(0.005)
        yield file("hangs")
        yield file("next")

    def read(work: Work) -> bytes:
        assert work.source == "next" or back.wait(DEADLINE)
        return content(work)

    left: list[str | None] = []
    seconds = iter(range(1000))
    patience = Patience(threading.Event(), waiting)
    taken = steps(
        found(),
        patience,
        lambda each: Step(each, read, 3.0, lambda: float(next(seconds))),
        lambda step: left.append(source_of(step)),
    )
    names = [(source_of(step), step.data) for step in taken]
    back.set()

    assert left == ["hangs"]
    assert names == [("hangs", None), ("next", b"nextnext")]


def test_the_end_is_heard_and_what_finds_the_work_is_closed() -> None:
    stop, closed = threading.Event(), list[bool]()

    def found() -> Generator[Work | None, None, None]:
        try:
            while True:
                yield file("a")
        finally:
            closed.append(True)

    patience = Patience(stop, lambda _: None)
    taken = steps(found(), patience, lambda each: Step(each, content, DEADLINE, lambda: 0.0), no_more)
    next(taken)
    taken.close()

    assert closed == [True]
