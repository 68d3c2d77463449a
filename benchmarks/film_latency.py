"""How soon a film is answered that lies in the folder: one that the camera's thread put there, and one that was copied.

    python -m benchmarks.film_latency [--films 20] [--bundle compact]

Both ways take turns. Time counts from the moment at which the film has its name to the one at which its finding has.
"""

import argparse
import statistics
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

from edge_runtime.camera import filming
from edge_runtime.camera.photographer import Photographer
from edge_runtime.config.settings import CameraSettings
from edge_runtime.film.quality import judge
from edge_runtime.film.tracker import Film, Sighting
from edge_runtime.model import bundle, installed
from edge_runtime.model.classifier import Classifier
from edge_runtime.model.engines import open_engine
from edge_runtime.watch import answering

_DEADLINE = 60.0


class _Hand(filming.Filming):
    """Puts a film into the folder when it is asked to, as the thread of the camera does."""

    def put(self, number: int, *, tell: bool) -> Path:
        frame = np.random.default_rng(number).integers(0, 256, (1080, 1920), np.uint8)
        corners = np.array([[400, 40], [1400, 40], [1400, 1040], [400, 1040]], np.float32)
        film = Film(frame[40:1040, 400:1400].copy(), judge(0.8, 0.0, False), corners)
        by = Photographer(self._folder, self._results, kept=self._kept if tell else lambda _: None)
        sighting = Sighting(corners, "taken", "", film)
        return self._folder / by.keep(by.take(frame, sighting, "benchmark")).decode()


def measure(films: int, classifier: Classifier) -> dict[str, list[float]]:
    """Milliseconds of each film, by its way."""
    found: dict[str, list[float]] = {"photographed": [], "copied": []}
    hands: list[_Hand] = []
    stop = threading.Event()
    with tempfile.TemporaryDirectory(prefix="edge-pneumo-") as place:
        folder, results = Path(place, "films"), Path(place, "out")
        folder.mkdir()

        def make(*args: Any, **options: Any) -> _Hand:
            hands.append(_Hand(*args, **options))
            return hands[-1]

        options = {"stop": stop, "camera": CameraSettings()}
        thread = threading.Thread(target=answering.watch, args=(folder, results, classifier), kwargs=options)
        with mock.patch.object(answering, "Filming", make):
            thread.start()
            while not hands:
                time.sleep(0.1)
            time.sleep(1.0)
        try:
            for number in range(2 * films):
                way = ("photographed", "copied")[number % 2]
                film = hands[0].put(number, tell=way == "photographed")
                finding = results / f"{film.name}.json"
                end = time.monotonic() + _DEADLINE
                while not finding.exists() and time.monotonic() < end:
                    time.sleep(0.002)
                found[way].append((finding.stat().st_ctime_ns - film.stat().st_ctime_ns) / 1e6)
        finally:
            stop.set()
            thread.join()
    return found


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.film_latency", description=__doc__.split("\n")[0])
    parser.add_argument("--films", type=int, default=20, metavar="N", help="each way (default: %(default)s)")
    parser.add_argument("--bundle", default="compact", help="by its name (default: %(default)s)")
    args = parser.parse_args(arguments)
    opened = bundle.read(installed.path(args.bundle))
    for way, taken in measure(args.films, Classifier(opened, open_engine(opened, 1))).items():
        print(f"{way:<13} {statistics.median(taken):6.0f} ms (median; {min(taken):.0f} to {max(taken):.0f})")


if __name__ == "__main__":
    main()
