import contextlib
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_runtime.results.moments import parse

NOW = datetime(2024, 5, 10, 15, 30, 45, tzinfo=UTC)


def here(*parts: int) -> datetime:
    return datetime(*parts).astimezone(UTC)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("2024-05-01", here(2024, 5, 1)),
        (" 2024-05-01 09:30 ", here(2024, 5, 1, 9, 30)),
        ("2024-05-01T09:30:15", here(2024, 5, 1, 9, 30, 15)),
        ("2024-05-01T09:30:15z", datetime(2024, 5, 1, 9, 30, 15, tzinfo=UTC)),
        ("2024-05-01 09:30+02:00", datetime(2024, 5, 1, 7, 30, tzinfo=UTC)),
        ("now", NOW),
        ("2 days", NOW - timedelta(days=2)),
        ("2 Days ago", NOW - timedelta(days=2)),
        ("90 min", NOW - timedelta(minutes=90)),
        ("1.5h", NOW - timedelta(hours=1.5)),
        ("1 hour", NOW - timedelta(hours=1)),
        ("30 s", NOW - timedelta(seconds=30)),
        ("30 secs", NOW - timedelta(seconds=30)),
        ("3 weeks", NOW - timedelta(weeks=3)),
    ],
)
def test_times_as_people_write_them(text: str, meant: datetime) -> None:
    assert parse(text, NOW) == meant


def test_a_day_begins_and_ends_where_the_machine_stands() -> None:
    today = NOW.astimezone().date()
    midnight = here(today.year, today.month, today.day)

    assert parse("today", NOW) == midnight
    assert parse("today", NOW, is_end=True) == parse("yesterday", NOW, is_end=True) + timedelta(days=1)
    assert parse("yesterday", NOW, is_end=True) == midnight
    assert parse("2024-05-01", NOW, is_end=True) == here(2024, 5, 2)
    assert parse("9:30", NOW) == midnight + timedelta(hours=9.5)
    assert parse("9:30:15", NOW, is_end=True) == midnight + timedelta(hours=9.5, seconds=15)


NO_TIMES = ["", "2", "days", "-2 days", "2 months", "25:00", "2024-13-01", "2024-02-30", "999999999 weeks", "soon"]


@pytest.mark.parametrize("text", [*NO_TIMES, "9999-12-31"])
def test_what_is_no_time_is_refused_with_examples(text: str) -> None:
    with pytest.raises(ValueError, match="is no time; write it as 2024-05-01"):
        parse(text, NOW, is_end=True)


@given(st.text(max_size=20), st.booleans())
def test_whatever_is_written_is_a_time_or_is_refused(text: str, is_end: bool) -> None:
    with contextlib.suppress(ValueError):
        assert parse(text, NOW, is_end=is_end).tzinfo is not None
