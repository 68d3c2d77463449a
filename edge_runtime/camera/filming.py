"""The thread that watches through a camera: frames to films, films to files, and what it sees to the preview."""

import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from edge_runtime.camera.choice import Choice, parse
from edge_runtime.config.settings import CameraSettings
from edge_runtime.errors import EdgePneumoError
from edge_runtime.health.health import Health
from edge_runtime.watch.insist import Backoff

if TYPE_CHECKING:  # what takes long to load is loaded where there is a camera
    from edge_runtime.camera.photographer import Photographer
    from edge_runtime.camera.supervising import SupervisedCamera
    from edge_runtime.film.tracker import Sighting

FRAME_SECONDS: Final = 0.2
"""Between two frames that are looked at. After each, this thread rests at least as long as looking took."""

_TICK_SECONDS: Final = 0.25

Supervises = Callable[[Choice, CameraSettings], "SupervisedCamera"]


class Tracks(Protocol):
    """``film.tracker.FilmTracker``, or what a test has in its place."""

    def look(self, frame: NDArray[np.uint8], seconds: float) -> "Sighting": ...

    def renew(self) -> None: ...


class Filming:
    """Photographs films into a folder, in a thread of its own, from the first settings on that name a camera.

    1. A film is taken once (``film.tracker``), also over a camera that fails and comes back.
    2. While a film cannot be kept, because the disk is full or gone, none other is looked for (``insisting``).
    3. With ``once`` the end of a video file, or with any other camera the first film, ends the filming.
    4. What else goes wrong is said and begun anew, and no reason to stop answering for files.

    Args:
        folder: The watched one.
        results: Where findings go.
        settings: Of the camera; ``change`` exchanges them.
        runtime: Where the preview goes; ``None`` for the results.
        stop: Ends it.
        health: Told, as part ``camera``.
        note: Takes one sentence for the person who runs this.
        once: As above.
        backoff: How long to wait before something is tried again.
        supervised: Makes the camera; ``None`` for a real one.
        tracks: Makes what knows films, given the seconds for which one must lie still; ``None`` for a ``FilmTracker``.
        monotonic: Seconds.
    """

    def __init__(
        self,
        folder: Path,
        results: Path,
        settings: CameraSettings,
        *,
        stop: threading.Event,
        health: Health,
        note: Callable[[str], None] = lambda _: None,
        runtime: Path | None = None,
        once: bool = False,
        backoff: Backoff = Backoff(),  # noqa: B008  frozen
        supervised: Supervises | None = None,
        tracks: "Callable[[float], Tracks] | None" = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._folder, self._results, self._settings = folder, results, settings
        self._runtime = results if runtime is None else runtime
        self._stop, self._health, self._note, self._once = stop, health, note, once
        self._backoff, self._monotonic = backoff, monotonic
        self._supervised, self._tracks = supervised or self._real, tracks or _film_tracker
        self._kept: Callable[[bytes], None] = lambda _: None
        self._is_known: Callable[[bytes], bool] = lambda _: True
        self._over, self._renewed = threading.Event(), threading.Event()
        self._thread: threading.Thread | None = None
        self._error: EdgePneumoError | None = None

    @contextmanager
    def going_on(self, kept: Callable[[bytes], None], is_known: Callable[[bytes], bool]) -> Generator[None, None, None]:
        """Film while this lasts.

        Args:
            kept: Told the name of each film that lies in the folder now, from the other thread.
            is_known: Whether a file of this name in the folder was ever answered.

        Raises:
            EdgePneumoError: At its end: a video file cannot be read, or with ``once`` the camera gave nothing.
        """
        self._kept, self._is_known = kept, is_known
        self._begin()
        try:
            yield
        finally:
            self._stop.set()
            if self._thread is not None:
                self._thread.join()
        if self._error is not None:
            raise self._error

    @property
    def is_over(self) -> bool:
        """Whether no more films will come: the end with ``once``, or no camera is wanted."""
        return self._over.is_set() or not self._settings.device

    def change(self, settings: CameraSettings) -> None:
        """Take over other settings; may be called from any thread."""
        self._settings = settings
        self._begin()

    def renew(self) -> None:
        """Count the film that lies there as a new one, as when a button is pressed; may be called from any thread."""
        self._renewed.set()

    def _begin(self) -> None:
        if self._settings.device and self._thread is None:
            self._thread = threading.Thread(target=self._run, name="camera", daemon=True)
            self._thread.start()

    def _run(self) -> None:
        from edge_runtime.camera.photographer import Photographer

        photographer = Photographer(self._folder, self._results, kept=self._kept)
        photographer.clear(self._is_known)
        still = self._settings.still
        tracker, pause = self._tracks(still), self._backoff.first
        while not self._is_ending():
            settings = self._settings
            if not settings.device:
                self._stop.wait(_TICK_SECONDS)
                continue
            if settings.still != still:
                still, tracker = settings.still, self._tracks(settings.still)
            try:
                self._film(settings, photographer, tracker)
                pause = self._backoff.first
            except EdgePneumoError as error:
                self._error = error
                self._stop.set()
            except Exception as error:  # a fault of ours, which is no reason to leave files unanswered
                sentence = f"films cannot be taken ({type(error).__name__}: {error})"
                self._health.degrade(sentence, part="camera")
                self._health.fail(sentence)
                self._note(f"{sentence}; it is begun anew")
                self._stop.wait(pause)
                tracker, pause = self._tracks(still), min(2 * pause, self._backoff.last)

    def _film(self, settings: CameraSettings, photographer: "Photographer", tracker: "Tracks") -> None:
        """Film until the settings change or the end comes."""
        from edge_runtime.camera.eye import Ended
        from edge_runtime.camera.insisting import insist
        from edge_runtime.camera.preview import Preview

        choice = parse(settings.device)
        camera = self._supervised(choice, settings)
        preview = Preview(self._runtime, is_wanted=settings.preview)
        try:
            while not self._is_ending() and self._settings == settings:
                began = self._monotonic()
                shot = camera.shot()
                if shot is None:
                    if camera.trouble is not None:
                        preview.say(camera.trouble)
                    continue
                if self._renewed.is_set():
                    self._renewed.clear()
                    tracker.renew()
                sighting = tracker.look(shot.pixels, shot.seconds)
                preview.show(shot.pixels, sighting)
                if sighting.film is not None:
                    is_kept = insist(
                        photographer,
                        photographer.take(shot.pixels, sighting, choice.name),
                        self._folder,
                        stop=self._stop,
                        health=self._health,
                        note=self._note,
                        show=preview.say,
                        backoff=self._backoff,
                    )
                    if is_kept and self._once and choice.kind != "file":
                        self._over.set()
                if choice.kind != "file":
                    spent = self._monotonic() - began
                    self._stop.wait(max(FRAME_SECONDS - spent, spent))
        except Ended:
            self._note(f"the video {choice.name} has ended")
            self._over.set()
        finally:
            camera.close()
            preview.remove()

    def _is_ending(self) -> bool:
        return self._stop.is_set() or self._over.is_set()

    def _real(self, choice: Choice, settings: CameraSettings) -> "SupervisedCamera":
        from edge_runtime.camera.supervising import SupervisedCamera

        return SupervisedCamera(
            choice,
            settings.width,
            settings.height,
            stop=self._stop,
            health=self._health,
            note=self._note,
            once=self._once,
            backoff=self._backoff,
        )


def _film_tracker(still: float) -> Tracks:
    from edge_runtime.film.tracker import FilmTracker

    return FilmTracker(still=still)
