"""Saying it when the machine holds its processor back, and when it no longer does.

1. The machine is looked at every 10 seconds. Nothing is said where nothing can be read.
2. What is wrong is said at once, and again when something else is.
3. That it is over is said after a minute without it: a supply that is too weak fails whenever there is work to do, and
   a hot processor is held back, cools down and is let go again. Somebody would be told every other look.
4. A clock that is capped is compared with what it was at the first look: some people lower it, and know.
"""

from collections.abc import Callable
from typing import Final

from edge_runtime.board.throttling import Reading, look
from edge_runtime.clock import SYSTEM_CLOCK, Clock
from edge_runtime.health.health import Health

LOOK_SECONDS: Final = 10.0
QUIET_SECONDS: Final = 60.0
"""So long nothing must be wrong before that is said."""

# Of the full clock: less is a cap, and not the rounding of its steps.
_CAP: Final = 0.98

UNDER_VOLTAGE: Final = (
    "the board is under-voltage, answers come slower and it may stop without warning: use the power supply made for "
    "it, and a short, thick cable"
)
THROTTLED: Final = "the processor is throttled, answers come slower: give it air, a heat sink or a fan"
HOT: Final = (
    "the processor is at {celsius:.0f} °C, and from {limit:.0f} °C on it is held back or switched off: give it air, a "
    "heat sink or a fan"
)
CAPPED: Final = (
    "the processor's clock is capped, answers come slower: it is hot or short of power, or somebody lowered it"
)


class BoardNotice:
    """Looks at the machine now and then; ``step`` is called by whatever comes by often, and costs nothing between.

    Args:
        health: Told, as its part ``board``.
        note: Takes the sentence, too.
        read: Looks at the machine.
        clock: What time it is.
    """

    def __init__(
        self,
        health: Health,
        *,
        note: Callable[[str], None] = lambda _: None,
        read: Callable[[], Reading] = look,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._health, self._note, self._read, self._clock = health, note, read, clock
        self._due = clock.seconds()
        self._first: Reading | None = None
        self._last: Reading | None = None
        self._said: str | None = None
        self._kind: str | None = None
        self._wrong_at = 0.0

    def step(self) -> None:
        """Look, if that is due; it neither waits nor raises."""
        now = self._clock.seconds()
        if now < self._due:
            return
        self._due = now + LOOK_SECONDS
        try:
            reading = self._read()
        except OSError:  # the kernel takes such files away when it wants to
            return
        found = sentence(reading, self._last, usual_clock=None if self._first is None else self._first.clock)
        self._first, self._last = self._first or reading, reading
        if found is not None:
            self._wrong_at = now
            self._say(*found)
        elif self._said is not None and now - self._wrong_at >= QUIET_SECONDS:
            self._kind = self._said = None
            self._health.recover(part="board")
            self._note("the board works at full speed again")

    def _say(self, kind: str, words: str) -> None:
        if kind == self._kind:  # another degree is no news
            return
        self._kind, self._said = kind, words
        self._health.degrade(words, part="board")
        self._note(words)


def sentence(
    reading: Reading, before: Reading | None = None, *, usual_clock: float | None = None
) -> tuple[str, str] | None:
    """What matters most of what is wrong.

    Args:
        reading: Now.
        before: At the look before.
        usual_clock: The share of the full clock that was allowed at first; ``None`` where that is not known.

    Returns:
        A word for its kind and the sentence, without its full stop; ``None`` where nothing is wrong.
    """
    if "under-voltage" in reading.now:
        return "voltage", UNDER_VOLTAGE
    hot = reading.temperature
    if hot is not None and hot.limit is not None and hot.is_hot:
        return "heat", HOT.format(celsius=hot.celsius, limit=hot.limit)
    counted = before is not None and before.count is not None and (reading.count or 0) > before.count
    if reading.now & {"throttled", "soft temperature limit"} or counted:
        return "throttled", THROTTLED
    capped = reading.clock is not None and usual_clock is not None and reading.clock < _CAP * usual_clock
    if "clock capped" in reading.now or capped:
        return "clock", CAPPED
    return None
