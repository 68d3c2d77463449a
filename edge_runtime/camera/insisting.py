"""Keeping a film on a disk that refuses: it stays in memory and is tried again, until it works or the end is asked for.

Not ``watch.insist``: that pauses the answers, and these go on while the folder is full and the results are not.
"""

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from edge_runtime.camera.photographer import Photographer, Picture
from edge_runtime.health.health import Health
from edge_runtime.watch.insist import Backoff, cause

_TICK_SECONDS: Final = 0.25


def insist(
    photographer: Photographer,
    picture: Picture,
    folder: Path,
    *,
    stop: threading.Event,
    health: Health,
    note: Callable[[str], None],
    show: Callable[[str], object],
    backoff: Backoff,
    monotonic: Callable[[], float] = time.monotonic,
) -> bool:
    """Keep a film; whether it was, and not the end asked for first.

    Args:
        photographer: Keeps it.
        picture: The film.
        folder: Where to, for the sentences.
        stop: Ends the waiting.
        health: Degraded meanwhile, as part ``camera``.
        note: Takes one sentence for the person who runs this.
        show: Told the sentence some times a second, for the person at the camera.
        backoff: How long to wait in between.
        monotonic: Seconds.
    """
    pause, said = backoff.first, ""
    while not stop.is_set():
        try:
            photographer.keep(picture)
        except OSError as error:
            reason = f"films cannot be kept in {folder} or beside the findings ({cause(error)})"
            if reason != said:
                said = reason
                health.degrade(reason, part="camera")
                health.fail(reason)
                note(
                    f"{reason}; it is tried again every {backoff.last:.0f} s or sooner, and no other film is taken "
                    "meanwhile"
                )
            until = monotonic() + pause
            while monotonic() < until and not stop.wait(_TICK_SECONDS):
                show(reason)
            pause = min(2 * pause, backoff.last)
            continue
        if said:
            health.recover(part="camera")
            note(f"films can be kept in {folder} again")
        return True
    return False
