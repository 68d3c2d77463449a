"""A look through the gate that was asked of the decoding worker, and its answer, as far as that can be true."""

import math
import threading
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from edge_runtime.gate import Gate, Screened, screened
from edge_runtime.radiograph.shared import SCREENED


class AskedScreening:
    """What the worker was asked and has not answered yet; who asks first reads the answer.

    Args:
        ask: Waits for the answer.
        has_said: Whether it is there.
        grey: The picture.
        gate: From the bundle.
    """

    def __init__(
        self,
        ask: Callable[[NDArray[np.uint8], Gate], tuple[Screened, float]],
        has_said: Callable[[], bool],
        grey: NDArray[np.uint8],
        gate: Gate,
    ) -> None:
        self._ask, self._has_said, self._grey, self._gate = ask, has_said, grey, gate
        self._lock = threading.Lock()
        self._found: tuple[Screened, float] | None = None

    def is_ready(self) -> bool:
        return self._found is not None or self._has_said()

    def result(self) -> tuple[Screened, float]:
        with self._lock:
            if self._found is None:
                self._found = self._ask(self._grey, self._gate)
            return self._found


def understood(reply: bytes, grey: NDArray[np.uint8]) -> tuple[Screened, float] | None:
    """What the worker says of a picture, and the milliseconds it took; ``None`` where that cannot be true."""
    if len(reply) < SCREENED.size:
        return None
    milliseconds, distance, is_negative, length = SCREENED.unpack_from(reply)
    said = reply[SCREENED.size :]
    if not (math.isfinite(distance) and math.isfinite(milliseconds)) or length != len(said):
        return None
    reason = printable_sentence(said.decode(errors="replace")) or None
    return screened(grey, abs(distance), reason, is_negative=bool(is_negative)), abs(milliseconds)


def printable_sentence(sentence: str) -> str:
    """Without what would break a line."""
    return "".join(character if character.isprintable() else "?" for character in sentence)
