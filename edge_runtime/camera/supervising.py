"""One camera that comes and goes: unplugged, hanging, in use elsewhere, and back again."""

import threading
import time
from collections.abc import Callable
from typing import Final, Protocol

from edge_runtime.camera.choice import Choice
from edge_runtime.camera.eye import Ended, Eye, Wanted
from edge_runtime.camera.interface import CameraError, Shot
from edge_runtime.errors import EdgePneumoError
from edge_runtime.health.health import Health
from edge_runtime.watch.insist import Backoff

OPEN_SECONDS: Final = 30.0
"""In which a camera has to open: a small board loads the libraries for some seconds, and a network camera wakes up."""

SILENT_SECONDS: Final = 10.0
"""Without a frame for so long, it counts as hanging."""

_TICK_SECONDS: Final = 0.25


class Looks(Protocol):
    """``eye.Eye``, or what a test has in its place."""

    def wait_until_open(self, seconds: float) -> None: ...

    def look(self, seconds: float) -> Shot: ...

    def close(self) -> bool: ...


class SupervisedCamera:
    """Gives frames as long as there are some, and opens the camera again when there are none.

    1. A camera that cannot be opened, fails, or gives nothing for 10 seconds is closed, and opened again after 1, 2,
       4 ... 30 seconds, for ever. ``health`` is degraded meanwhile, and a sentence says so, once for each cause.
    2. The process that had it is killed and waited for first: a device never has two owners. One that a driver holds
       fast is waited for as long as that takes, and a sentence says what to do.
    3. With ``once`` it is given up after a minute.

    Args:
        choice: Which camera.
        width: Of its frames, in pixels.
        height: Likewise.
        stop: Ends all waiting.
        health: Told, as part ``camera``.
        note: Takes one sentence for the person who runs this.
        once: Whether to give up.
        backoff: How long to wait before it is opened again, and when it is given up.
        open_seconds: In which it has to open.
        silent_seconds: Without a frame for so long, it hangs.
        eye: Makes what opens it.
        monotonic: Seconds.
    """

    def __init__(
        self,
        choice: Choice,
        width: int,
        height: int,
        *,
        stop: threading.Event,
        health: Health,
        note: Callable[[str], None] = lambda _: None,
        once: bool = False,
        backoff: Backoff = Backoff(),  # noqa: B008  frozen
        open_seconds: float = OPEN_SECONDS,
        silent_seconds: float = SILENT_SECONDS,
        eye: "Callable[[Wanted], Looks] | None" = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._choice, self._wanted = choice, Wanted(choice.word, width, height)
        self._stop, self._health, self._note = stop, health, note
        self._once, self._backoff, self._monotonic = once, backoff, monotonic
        self._open_seconds, self._silent_seconds = open_seconds, silent_seconds
        self._make = eye or (lambda wanted: Eye(wanted, is_over=stop.is_set))
        self._eye: Looks | None = None
        self._dying: Looks | None = None
        self._next_try = monotonic()
        self._pause = backoff.first
        self._failing_since: float | None = None
        self._said: str | None = None

    @property
    def trouble(self) -> str | None:
        """What is wrong with it, in a sentence without its full stop; ``None`` while it gives frames."""
        return self._said

    def shot(self) -> Shot | None:
        """The next frame; ``None`` where there is none just now, after a quarter of a second at most.

        Raises:
            Ended: It is a video file, which has ended.
            EdgePneumoError: It is one that cannot be read; or with ``once``, it has given no frame for too long.
        """
        try:
            if self._eye is None and not self._open():
                return None
            assert self._eye is not None
            shot = self._eye.look(self._silent_seconds)
        except InterruptedError:
            return None
        except CameraError as error:
            self._failed(str(error))
            return None
        except Ended:
            self.close()
            raise
        self._works()
        return shot

    def close(self) -> None:
        """Let the device go."""
        eye, self._eye = self._eye, None
        if eye is not None and not eye.close():
            self._dying = eye

    def _open(self) -> bool:
        if self._dying is not None:
            if not self._dying.close():
                self._say("is held fast by its driver; unplug it, or switch this machine off and on")
                self._stop.wait(_TICK_SECONDS)
                return False
            self._dying = None
        left = self._next_try - self._monotonic()
        if left > 0:
            self._stop.wait(min(left, _TICK_SECONDS))
            return False
        eye = self._eye = self._make(self._wanted)
        eye.wait_until_open(self._open_seconds)
        return True

    def _failed(self, what: str) -> None:
        self.close()
        if self._choice.kind == "file":
            raise EdgePneumoError(f"the video {self._choice.name} {what}")
        now = self._monotonic()
        self._failing_since = now if self._failing_since is None else self._failing_since
        self._next_try = now + self._pause
        self._pause = min(2 * self._pause, self._backoff.last)
        if self._once and now - self._failing_since > self._backoff.once:
            raise EdgePneumoError(f"the camera {self._choice.name} {what}, and did not for {self._backoff.once:.0f} s")
        self._say(what)

    def _say(self, what: str) -> None:
        sentence = f"the camera {self._choice.name} {what}"
        if sentence != self._said:
            self._said = sentence
            self._health.degrade(sentence, part="camera")
            self._health.fail(sentence)
            self._note(f"{sentence}; it is tried again every {self._backoff.last:.0f} s or sooner")

    def _works(self) -> None:
        self._pause, self._failing_since = self._backoff.first, None
        if self._said is not None:
            self._said = None
            self._health.recover(part="camera")
            self._note(f"the camera {self._choice.name} works again")
