import errno

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_runtime.sources import retry
from edge_runtime.sources.retry import BACKOFF, IN_A_ROW, PARKED_SECONDS, Retries, may_pass

ALL_TRIES = sum(BACKOFF)


def failed_alone(retries: Retries, path: str, now: float) -> bool:
    """A failure among files that can be read."""
    parked = retries.failed(path, now)
    retries.succeeded("another")
    return parked


def parked_at(retries: Retries, path: str) -> float:
    """Fail until the file is parked; the moment of the last failure."""
    now = 0.0
    while not failed_alone(retries, path, now):
        due = retries.due()
        assert due is not None
        now = due
        assert retries.take(now) == path
    return now


@pytest.mark.parametrize("number", [errno.EIO, errno.ESTALE, errno.ETIMEDOUT, errno.EHOSTDOWN, errno.ENETDOWN])
def test_what_a_disk_or_a_share_does_may_pass(number: int) -> None:
    assert may_pass(OSError(number, ""))


@pytest.mark.parametrize("number", [errno.EAGAIN, errno.EBUSY, errno.EMFILE, errno.ENOMEM, 9999])
def test_what_is_busy_or_unknown_may_pass(number: int) -> None:
    assert may_pass(OSError(number, ""))


@pytest.mark.parametrize("number", [errno.EACCES, errno.EPERM, errno.ENAMETOOLONG, errno.EISDIR])
def test_what_is_not_allowed_does_not_pass_by_itself(number: int) -> None:
    assert not may_pass(OSError(number, ""))


def test_rule_1_the_tries_of_one_file_come_at_growing_intervals() -> None:
    retries, now, waits = Retries(), 0.0, []

    for _ in BACKOFF:
        failed_alone(retries, "a", now)
        due = retries.due()
        assert due is not None
        waits.append(due - now)
        assert retries.take(due - 0.01) is None
        assert retries.holds("a")
        assert retries.take(due) == "a"
        assert not retries.holds("a")
        now = due

    assert waits == list(BACKOFF)


def test_rule_2_a_file_is_parked_after_its_last_try_and_tried_again_later() -> None:
    retries = Retries()

    now = parked_at(retries, "a")

    assert now == ALL_TRIES
    assert (retries.waiting, retries.parked) == (0, 1)
    assert retries.take(now + PARKED_SECONDS - 1) is None
    assert retries.take(now + PARKED_SECONDS) == "a"
    assert not failed_alone(retries, "a", now + PARKED_SECONDS)  # parked it was already
    assert retries.due() == now + 2 * PARKED_SECONDS


def test_rule_3_a_folder_that_fails_rests_and_parks_nothing() -> None:
    retries, now = Retries(), 0.0
    rests = []

    for number in range(40):
        retries.failed(f"{number % 4}", now)
        if retries.is_resting(now):
            rests.append(retries.rest_until() - now)
            now = retries.rest_until()
        while retries.take(now):
            pass

    assert rests[:8] == [1, 2, 4, 8, 16, 32, 60, 60]
    assert len(rests) == 41 - IN_A_ROW
    assert retries.parked == 0
    retries.succeeded("0")
    assert not retries.is_resting(now)
    assert retries.rests == 0


def test_rule_3_one_file_alone_is_not_the_folder() -> None:
    retries, now = Retries(), 0.0

    for _ in BACKOFF:  # and there is no other that could be read in between
        assert not retries.failed("a", now)
        assert not retries.is_resting(now)
        due = retries.due()
        assert due is not None
        now = due
        assert retries.take(now) == "a"

    assert retries.failed("a", now)
    assert retries.parked == 1


def test_rule_4_what_was_heard_or_read_is_tried_like_any_other() -> None:
    retries = Retries()
    parked_at(retries, "a")

    retries.forget("a")

    assert not retries.holds("a")
    assert (retries.waiting, retries.parked, retries.due()) == (0, 0, None)
    assert not failed_alone(retries, "a", 0.0)
    assert retries.due() == BACKOFF[0]


def test_no_more_than_the_limit_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retry, "LIMIT", 2)
    retries = Retries()

    for name in "abc":
        failed_alone(retries, name, 0.0)
    assert not retries.holds("c")
    assert retries.take(1.0) == "a"
    failed_alone(retries, "c", 1.0)  # a was handed out and has not come back

    assert [retries.holds(name) for name in "abc"] == [False, True, True]


@given(
    steps=st.lists(
        st.tuples(
            st.sampled_from(["fail", "succeed", "forget", "take"]), st.sampled_from("abc"), st.floats(0.0, 2000.0)
        )
    )
)
def test_a_file_is_held_as_long_as_it_will_be_handed_out(steps: list[tuple[str, str, float]]) -> None:
    retries, now = Retries(), 0.0

    for what, path, wait in steps:
        match what:
            case "fail":
                retries.failed(path, now)
            case "succeed":
                retries.succeeded(path)
            case "forget":
                retries.forget(path)
            case "take":
                retries.take(now)
        now += wait

    held = [path for path in "abc" if retries.holds(path)]
    handed_out = []
    while (path_or_none := retries.take(float("inf"))) is not None:
        handed_out.append(path_or_none)
    assert sorted(handed_out) == held
