"""The status light and the button for a new film, by gpiozero, which is loaded where pins are configured alone.

1. What cannot be had, such as gpiozero itself or the pins, is said in one sentence, and the watcher goes on without it.
2. The light follows the state within a second (``step``). gpiozero makes it blink in a thread of its own.
3. The button calls a function in a thread of gpiozero's, once each time that it is pressed.
4. At the end the pins are given back: the light goes off. So a light that is off means that nothing runs.
"""

import importlib
import os
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, Self

from edge_runtime.config.settings import GpioSettings
from edge_runtime.gpio.patterns import IDLE, OFF, Pattern, pattern
from edge_runtime.health.health import Health

# A contact bounces for some milliseconds, and nobody presses twice within so many seconds.
_BOUNCE_SECONDS: Final = 0.05


class Panel:
    """The light and the button; a context manager, which takes and gives back the pins.

    Args:
        settings: Which pins.
        health: What the light shows.
        note: Takes one sentence for the person who runs this.
        pins: gpiozero's pin factory; ``None`` for the machine's own pins.
        runtime: A folder that may be written to, for the library that watches the button.
    """

    def __init__(
        self,
        settings: GpioSettings,
        health: Health,
        *,
        note: Callable[[str], None] = lambda _: None,
        pins: Any = None,
        runtime: Path | None = None,
    ) -> None:
        self._settings, self._health, self._note, self._pins = settings, health, note, pins
        self._runtime = Path("/tmp") if runtime is None else runtime
        self._light: Any = None
        self._button: Any = None
        self._pressed: Callable[[], None] = lambda: None
        self._shown: Pattern | None = None

    def __enter__(self) -> Self:
        if self._settings.led or self._settings.button:
            self._take()
            self.step()
        return self

    def __exit__(self, *_: object) -> None:
        for device in (self._light, self._button):
            if device is not None:
                device.close()
        self._light = self._button = None

    @property
    def shown(self) -> Pattern | None:
        """What the light shows; ``None`` where there is none."""
        return self._shown

    def on_press(self, pressed: Callable[[], None]) -> None:
        """Have this called when the button is pressed; it neither waits nor raises."""
        self._pressed = pressed

    def step(self) -> None:
        """Show how it stands now; to be called about once a second, from one thread."""
        light = self._light
        if light is None:
            return
        wanted = pattern(self._health.snapshot())
        if wanted == self._shown:
            return
        self._shown = wanted
        try:
            if wanted == OFF:
                light.off()
            elif wanted == IDLE:
                light.on()
            else:
                light.blink(*wanted)
        except Exception as error:  # as where the pins are taken
            self._light = None
            self._say(str(error).rstrip(".!") or type(error).__name__)

    def _take(self) -> None:
        # lgpio makes a pipe where the program runs, if nothing else is said; a service may not write there.
        os.environ.setdefault("LG_WD", str(self._runtime))
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of each library that is tried
                self._take_pins()
        except ImportError as error:
            self.__exit__()
            cause = "there is no gpiozero" if error.name == "gpiozero" else str(error) or type(error).__name__
            self._say(f"{cause.rstrip('.!')}; 'pip install gpiozero lgpio' in edge-pneumo's environment")
        except Exception as error:  # gpiozero's own, OSError, and lgpio's, which are of no common kind
            self.__exit__()
            self._say(f"{str(error).rstrip('.!') or type(error).__name__}; see docs/boards.md, 'A light and a button'")

    def _take_pins(self) -> None:
        gpiozero = importlib.import_module("gpiozero")
        if self._settings.led:
            self._light = gpiozero.LED(self._settings.led, pin_factory=self._pins)
        if self._settings.button:
            self._button = gpiozero.Button(self._settings.button, bounce_time=_BOUNCE_SECONDS, pin_factory=self._pins)
            self._button.when_pressed = lambda: self._pressed()

    def _say(self, cause: str) -> None:
        self._note(f"the pins of [gpio] are not used: {cause}")
