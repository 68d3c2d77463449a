"""A clock that a test sets."""

from datetime import UTC, datetime, timedelta

from edge_runtime.clock import Clock

START = datetime(2024, 5, 1, 9, 30, tzinfo=UTC)


class HandClock:
    """Stands still until it is moved; the time of day and the seconds move together."""

    def __init__(self, start: datetime = START) -> None:
        self.start, self.passed = start, 1000.0
        self.clock = Clock(now=self.now, seconds=lambda: self.passed)

    def now(self) -> datetime:
        return self.start + timedelta(seconds=self.passed - 1000.0)

    def seconds(self) -> float:
        return self.passed

    def wait(self, seconds: float) -> None:
        self.passed += seconds
