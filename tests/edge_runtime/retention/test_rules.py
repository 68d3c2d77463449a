from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_runtime.config.settings import Retention
from edge_runtime.finding import timestamp
from edge_runtime.retention.rules import ClockSet, Kept, excess, plan, reckon

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
MEGABYTE = 10**6
FOR_EVER = Retention()


def aged(days: float, *, finding: int = 1, heatmap: int = 10) -> Kept:
    return Kept(NOW - timedelta(days=days), finding, heatmap)


def kept_answers(max_size: int = 30) -> st.SearchStrategy[list[Kept]]:
    """As a journal has them: the oldest first."""
    sizes = st.integers(0, 400_000)
    answer = st.tuples(st.floats(0, 400), st.one_of(st.just(0), sizes), st.one_of(st.just(0), sizes))
    return st.lists(answer, max_size=max_size).map(
        lambda drawn: [aged(days, finding=f, heatmap=h) for days, f, h in sorted(drawn, key=lambda one: -one[0])]
    )


policies = st.builds(Retention, days=st.sampled_from([0, 1, 30, 200]), megabytes=st.sampled_from([0, 1, 2, 5]))


def total(answers: list[Kept]) -> int:
    return sum(one.finding + one.heatmap for one in answers)


def carry_out(answers: list[Kept], policy: Retention, now: datetime = NOW, window: int = 1000) -> tuple[int, int]:
    """How many findings and how many heat maps have gone from the front, asked for so many answers at a time."""
    findings = heatmaps = 0
    left = excess(total(answers), policy)
    maps = sum(one.heatmap for one in answers)
    while True:
        mapless = [Kept(one.at, one.finding, 0) for one in answers[:heatmaps]] + answers[heatmaps:]
        going = plan(
            mapless[findings : findings + window],
            answers[heatmaps : heatmaps + window],
            policy=policy,
            now=now,
            excess=left,
            maps=maps,
        )
        if going.findings == going.heatmaps == 0:
            return findings, heatmaps
        before = sum(one.finding for one in answers[findings:]) + sum(one.heatmap for one in answers[heatmaps:])
        findings, heatmaps = findings + going.findings, max(heatmaps + going.heatmaps, findings + going.findings)
        maps = sum(one.heatmap for one in answers[heatmaps:])
        left -= before - sum(one.finding for one in answers[findings:]) - maps


# What goes


def test_nothing_ever_goes_without_a_setting() -> None:
    assert carry_out([aged(40_000, finding=10**12)], FOR_EVER) == (0, 0)


def test_what_is_older_goes_with_its_heat_map() -> None:
    answers = [aged(31), aged(30.1), aged(29.9), aged(0)]

    assert carry_out(answers, Retention(days=30)) == (2, 2)


def test_heat_maps_go_first_where_it_is_too_much() -> None:
    answers = [aged(3 - n, finding=1000, heatmap=400_000) for n in range(3)]

    assert carry_out(answers, Retention(megabytes=1)) == (0, 1)


def test_findings_go_when_no_heat_map_is_left() -> None:
    answers = [aged(4 - n, finding=400_000, heatmap=10) for n in range(4)]

    assert carry_out(answers, Retention(megabytes=1)) == (2, 4)


def test_no_heat_map_goes_where_age_alone_makes_room() -> None:
    answers = [aged(100, finding=600_000), *(aged(1, finding=100_000, heatmap=100_000) for _ in range(3))]

    assert carry_out(answers, Retention(days=30, megabytes=1)) == (1, 1)


def test_a_little_room_is_made_for_the_next_ones() -> None:
    policy = Retention(megabytes=1)

    assert excess(MEGABYTE, policy) == 0
    assert excess(MEGABYTE + 1, policy) == MEGABYTE // 50 + 1


@given(kept_answers(), policies)
def test_what_goes_is_enough_and_no_more(answers: list[Kept], policy: Retention) -> None:
    findings, heatmaps = carry_out(answers, policy)

    rest = answers[findings:]
    size = sum(one.finding for one in rest) + sum(one.heatmap for one in answers[heatmaps:])
    limit = NOW - timedelta(days=policy.days)
    expired = sum(one.at < limit for one in answers) if policy.days else 0
    assert findings >= expired
    if policy.megabytes:
        assert size <= policy.megabytes * MEGABYTE or not total(rest)
    if findings > expired:  # for their size, and so after all heat maps
        assert not any(one.heatmap for one in answers[heatmaps:])
    over = excess(total(answers), policy) - total(answers[:expired])
    assert heatmaps >= findings or not any(one.heatmap for one in answers[heatmaps:findings])
    if over <= 0:
        assert (findings, heatmaps) == (expired, expired)
    else:
        maps = [one.heatmap for one in answers[expired:heatmaps]]
        assert sum(maps[:-1]) < over
        assert findings == expired or sum(maps) + sum(one.finding for one in answers[expired : findings - 1]) < over


@given(kept_answers(), policies, st.integers(1, 7))
def test_it_does_not_matter_how_many_answers_are_looked_at_at_once(
    answers: list[Kept], policy: Retention, window: int
) -> None:
    assert carry_out(answers, policy, window=window) == carry_out(answers, policy)


@given(kept_answers(), policies, st.timedeltas(timedelta(0), timedelta(days=5000)))
def test_a_clock_that_is_set_back_lets_nothing_go_that_would_have_stayed(
    answers: list[Kept], policy: Retention, back: timedelta
) -> None:
    findings, heatmaps = carry_out(answers, policy)
    by_size, maps_by_size = carry_out(answers, Retention(megabytes=policy.megabytes))

    earlier = carry_out(answers, policy, NOW - back)

    assert earlier[0] <= max(findings, by_size)
    assert earlier[1] <= max(heatmaps, maps_by_size)


# When an answer was entered


def reckoned(*times: datetime | str, set_: list[ClockSet] | None = None, since: datetime | None = None) -> list[float]:
    """Days before now."""
    said = [(number, time if isinstance(time, str) else timestamp(time)) for number, time in enumerate(times, start=1)]
    return [(NOW - at) / timedelta(days=1) for at in reckon(said, set_ or [], since=since, now=NOW)]


def ago(days: float) -> datetime:
    return NOW - timedelta(days=days)


def test_times_in_order_are_believed() -> None:
    assert reckoned(ago(3), ago(2), ago(2), ago(0)) == [3, 2, 2, 0]


def test_an_answer_is_not_older_than_those_before_it() -> None:
    assert reckoned(ago(3), datetime(1970, 1, 1, tzinfo=UTC), ago(300), ago(1)) == [3, 3, 3, 1]
    assert reckoned(ago(300), since=ago(5)) == [5]


def test_a_time_to_come_keeps_its_answer_and_those_after_it() -> None:
    assert reckoned(ago(3), ago(-1000), ago(1)) == [3, -1000, -1000]


@pytest.mark.parametrize(
    "time", ["", "once", "0001-01-01T00:00:00+14:00", "1970-01-01T00:00:00Z", "9999-12-31T23:59:59Z"]
)
def test_what_is_no_time_says_nothing(time: str) -> None:
    assert reckoned(time) == [0]
    assert reckoned(ago(3), time) == [3, 3]


def test_a_run_in_which_the_clock_was_set_counts_from_then() -> None:
    # Switched off for half a year, and started with the clock of then: put right by the network after two answers.
    times = (ago(182), ago(180), ago(180), ago(1))

    assert reckoned(*times, set_=[ClockSet(2, 3, ago(2))]) == [182, 2, 2, 1]
    assert reckoned(*times, set_=[ClockSet(2, 3, ago(300))]) == [182, 180, 180, 1]


@given(
    st.lists(st.one_of(st.integers(-5000, 5000), st.text(max_size=5)), max_size=20),
    st.lists(st.tuples(st.integers(1, 20), st.integers(0, 20), st.integers(-5000, 5000)), max_size=3),
    st.one_of(st.none(), st.integers(0, 500)),
)
def test_the_order_of_entry_is_the_order_of_age(
    times: list[int | str], marks: list[tuple[int, int, int]], since: int | None
) -> None:
    set_ = [ClockSet(first, first + length, ago(days)) for first, length, days in marks]
    said = [time if isinstance(time, str) else ago(time) for time in times]

    ages = reckoned(*said, set_=set_, since=None if since is None else ago(since))

    assert len(ages) == len(times)
    known = [age for age in ages if age]  # nothing is said of those before the first one
    assert all(earlier >= later for earlier, later in pairwise(known))
    for age, time in zip(ages, times, strict=True):
        if isinstance(time, int) and -5000 <= time < 800:
            assert age <= time  # never older than the clock said, where it can be believed
