"""An engine that answers in any case: by an Edge TPU as long as it can be relied on, else by the CPU."""

import threading
from collections.abc import Callable
from typing import Final, Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray

from edge_runtime.clock import SYSTEM_CLOCK, Clock
from edge_runtime.errors import EdgePneumoError, EngineError
from edge_runtime.finding import timestamp
from edge_runtime.model.bundle import Bundle, Golden
from edge_runtime.model.classifier import is_reproduced, verify_golden
from edge_runtime.model.engines.interface import Engine, Quantization, RawOutputs, Runner


class Intervals(msgspec.Struct, frozen=True):
    """In seconds.

    Attributes:
        check: Between two looks whether a device that answers still gives a golden vector.
        first_pause: Before a lost device is tried again for the first time; each further pause is twice the one before.
        longest_pause: But no longer than this.
    """

    check: float = 60.0
    first_pause: float = 10.0
    longest_pause: float = 600.0


_MEANWHILE: Final = "the CPU answers"


class Accelerator(Runner, Protocol):
    """A device that can go away: its ``invoke`` raises ``EngineError`` then, and it is done with."""

    def close(self) -> None:
        """Give the device up."""
        ...


class Tell(Protocol):
    """Is told what becomes of the device, each in a sentence without its full stop. Called from any thread."""

    def lost(self, sentence: str) -> None:
        """It does not answer, for this reason."""
        ...

    def back(self, sentence: str) -> None:
        """It answers."""
        ...


class AcceleratedEngine:
    """By the rules of ``engines.interface.Engine`` for a device that can go away. One thread at a time uses the device.

    1. Until ``take`` is called the CPU answers, and the device is left to others.
    2. What the device fails to answer is answered by the CPU in the same call.
    3. A thread tries a lost device again, at growing intervals, while the CPU goes on answering. It answers again, from
       the next radiograph on, when it has given all golden vectors.
    4. The same thread has a device that answers give a golden vector once a minute: it may begin to give wrong numbers.
       One that does is given up, and the sentence tells since when its answers are not to be relied on.
    5. After ``close`` the CPU answers.

    Args:
        cpu: What answers else.
        bundle: The model of both.
        open_device: Opens the device and has it give all golden vectors; raises ``EdgePneumoError``.
        tell: Told what becomes of it.
        is_final: Whether a failure to open it is for good, so that it is not tried again.
        intervals: See there.
        clock: What time it is.

    Attributes:
        tell: Told what becomes of the device.
        trouble: Why the device does not answer, as it was told; ``None`` where it does, and before ``take``.
    """

    def __init__(
        self,
        cpu: Engine,
        bundle: Bundle,
        open_device: Callable[[], Accelerator],
        tell: Tell,
        *,
        is_final: bool = False,
        intervals: Intervals = Intervals(),  # noqa: B008  frozen
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self.tell = tell
        self._cpu, self._golden, self._open = cpu, bundle.golden, open_device
        self._is_final, self._intervals, self._clock = is_final, intervals, clock
        self._answered: Runner | None = None
        self._device: Accelerator | None = None
        # Held while the device is used or exchanged, by whichever thread.
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._lost_now = threading.Event()
        self._thread: threading.Thread | None = None
        self._failures = self._checks = 0
        self._right_at = ""
        self.trouble: str | None = None

    @property
    def name(self) -> str:
        return self._who.name

    @property
    def tolerance(self) -> int:
        return self._who.tolerance

    @property
    def _who(self) -> Runner:
        """What answered last; before the first time, what is going to."""
        return self._answered or self._device or self._cpu

    @property
    def quantization(self) -> Quantization:
        return self._cpu.quantization

    def invoke(self, pixels: NDArray[np.uint8]) -> RawOutputs:
        """Run the model on ``uint8`` pixels of shape ``(1, height, width, 1)``."""
        with self._lock:
            device = self._device
            if device is not None:
                try:
                    outputs = device.invoke(pixels)
                except EngineError as error:
                    self._lose(device, str(error))
                else:
                    self._answered = device
                    return outputs
        self._answered = self._cpu
        return self._cpu.invoke(pixels)

    def take(self) -> None:
        """Have the device answer from now on, if it can; returns when that is known."""
        self._try()
        if self._is_final and self._device is None:
            return
        self._thread = threading.Thread(target=self._keep, name="accelerator", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Give the device up. May be called from any thread, and again."""
        self._closed.set()
        self._lost_now.set()
        with self._lock:
            device, self._device = self._device, None
            if device is not None:
                device.close()

    def tend(self) -> float:
        """Do what is due: try a lost device, or look whether one that answers is still right.

        Returns:
            Seconds until the next time.
        """
        if self._device is not None:
            self._check()
        elif not self._closed.is_set():
            self._try()
        return self._seconds()

    def _keep(self) -> None:
        seconds = self._seconds()
        while not self._closed.is_set():
            if self._lost_now.wait(seconds) and not self._closed.is_set():
                self._lost_now.clear()
                seconds = self._seconds()
                continue
            if not self._closed.is_set():
                seconds = self.tend()

    def _seconds(self) -> float:
        if self._device is not None:
            return self._intervals.check
        doubled = self._intervals.first_pause * 2.0 ** min(max(self._failures - 1, 0), 16)
        return min(doubled, self._intervals.longest_pause)

    def _try(self) -> None:
        try:
            device = self._open()
        except Exception as error:  # whatever it is, there is the CPU
            self._failures += 1
            words = str(error) if isinstance(error, EdgePneumoError) else f"{type(error).__name__}: {error}"
            self._say_lost(f"{words}; {_MEANWHILE}")
            return
        with self._lock:
            if self._closed.is_set():
                device.close()
                return
            self._device, self._right_at = device, timestamp(self._clock.now())
        self.trouble = None
        self.tell.back(f"{device.name} answers")

    def _check(self) -> None:
        number = self._checks % len(self._golden.pixels)
        self._checks += 1
        with self._lock:
            device = self._device
            if device is None:
                return
            try:
                report = verify_golden(device, _one(self._golden, number))
            except EngineError as error:
                self._lose(device, str(error))
                return
            if not is_reproduced(report, device):
                off = f"off by {report.largest_difference} steps, {device.tolerance} are allowed"
                self._lose(
                    device,
                    f"{device.name} gives wrong numbers ({off}): do not rely on what it answered after "
                    f"{self._right_at}, when it was right",
                )
                return
        # Not before: a device that fails as soon as it is used is tried less and less often.
        self._failures, self._right_at = 0, timestamp(self._clock.now())

    def _lose(self, device: Accelerator, sentence: str) -> None:
        """With the lock held."""
        self._device = None
        self._failures += 1
        device.close()
        self._say_lost(f"{sentence}; {_MEANWHILE}, and it is tried again")
        self._lost_now.set()

    def _say_lost(self, sentence: str) -> None:
        if not self._closed.is_set() and sentence != self.trouble:
            self.trouble = sentence
            self.tell.lost(sentence)


def _one(golden: Golden, number: int) -> Golden:
    one = slice(number, number + 1)
    return Golden(golden.pixels[one], golden.scores[one], golden.maps[one], golden.features[one])
