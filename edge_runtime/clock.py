"""Time as an argument, so that a test says what time it is."""

import time
from collections.abc import Callable
from datetime import UTC, datetime

import msgspec


class Clock(msgspec.Struct, frozen=True):
    """The two kinds of time the runtime needs.

    Attributes:
        now: The time of day, with a time zone.
        seconds: A time that never runs backwards, for durations.
    """

    now: Callable[[], datetime]
    seconds: Callable[[], float]

    def milliseconds_since(self, start: float) -> float:
        """Milliseconds from ``start``, an earlier ``seconds()``, to now."""
        return (self.seconds() - start) * 1000.0


SYSTEM_CLOCK = Clock(now=lambda: datetime.now(UTC), seconds=time.perf_counter)
