"""Times as people write them: ``2024-05-01``, ``2024-05-01 09:30``, ``09:30``, ``yesterday``, ``2 days``."""

import re
from datetime import UTC, date, datetime, time, timedelta
from typing import Final

FORMS: Final = "2024-05-01, '2024-05-01 09:30', 09:30, today, yesterday, '2 days'"
_UNITS: Final = {
    "second": "seconds",
    "sec": "seconds",
    "s": "seconds",
    "minute": "minutes",
    "min": "minutes",
    "hour": "hours",
    "h": "hours",
    "day": "days",
    "d": "days",
    "week": "weeks",
    "w": "weeks",
}
_AGO: Final = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)\s*([a-z]+?)s?(?:\s+ago)?", re.ASCII)
_DAY: Final = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_HOUR: Final = re.compile(r"\d{1,2}:\d{2}(?::\d{2})?", re.ASCII)


def parse(text: str, now: datetime, *, is_end: bool = False) -> datetime:
    """The time that is meant, in UTC.

    What names no time zone is meant where this machine stands. A length of time is counted back from now, its days as
    24 hours. A day is its beginning, or with ``is_end`` its end.

    Raises:
        ValueError: It is none of these; or lies before the first or after the last day there is.
    """
    words = text.strip().lower()
    try:
        day = _day(words, now.astimezone().date())
        if day is not None:
            return _here(datetime.combine(day + timedelta(days=1) if is_end else day, time()))
        if words == "now":
            return now.astimezone(UTC)
        if _HOUR.fullmatch(words):
            hour = time.fromisoformat(words.zfill(5) if words.count(":") == 1 else words.zfill(8))
            return _here(datetime.combine(now.astimezone().date(), hour))
        ago = _AGO.fullmatch(words)
        if ago is not None and (unit := _UNITS.get(ago[2])):
            return now.astimezone(UTC) - timedelta(**{unit: float(ago[1])})
        return _here(datetime.fromisoformat(text.strip().upper()))
    except (ValueError, OverflowError):
        raise ValueError(f"{text!r} is no time; write it as {FORMS}") from None


def _day(words: str, today: date) -> date | None:
    if words == "today":
        return today
    if words == "yesterday":
        return today - timedelta(days=1)
    return date.fromisoformat(words) if _DAY.fullmatch(words) else None


def _here(moment: datetime) -> datetime:
    return moment.astimezone(UTC)
