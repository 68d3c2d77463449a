"""A simulated light box: are films found, taken once, and answered as their files are?

    python -m benchmarks.lightbox --data DIR/test --films 100 [--bundle NAME|FILE] [--seed 1] [--disturbance NAME ...]

``DIR/test`` holds NORMAL and PNEUMONIA; half of the films are drawn from each. Every film is brought before the
simulated camera (``tools/lightbox.py``) once under each disturbance: an empty box, a hand that brings the film,
shaking, 1.6 seconds of stillness, and away again, 18 frames in all. One tracker sees all films of a disturbance one
after the other, as a device does. What it takes goes through the same gate and model as the file does, as PNG.

``found``: the outline that was taken overlaps with the film, or with the radiograph within its margin, by 90% of what
both cover. ``equal``: the same label as the file's; a refusal is not equal, nor is a film that was not taken or was
taken twice. ``corner``: the farthest corner from the true one, median over those found, and the worst of them.
"""

import argparse
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks import material
from edge_runtime.answer import answer
from edge_runtime.classify import find_images
from edge_runtime.clock import SYSTEM_CLOCK
from edge_runtime.film.tracker import Film, FilmTracker
from edge_runtime.finding import Finding
from edge_runtime.model.classifier import Classifier
from edge_runtime.radiograph.decode import decode
from tools import lightbox

CLASSES = ("NORMAL", "PNEUMONIA")
OVERLAP = 0.9
BETWEEN = 5.0  # seconds between two films


@dataclass
class Count:
    """What one disturbance did to the films."""

    films: int = 0
    found: int = 0
    once: int = 0
    twice: int = 0
    equal: int = 0
    refused: int = 0
    corners: list[float] = field(default_factory=list)
    look: list[float] = field(default_factory=list)
    different: list[str] = field(default_factory=list)


def measure(
    files: Sequence[Path], disturbance: lightbox.Disturbance, classifier: Classifier, seed: int, size: tuple[int, int]
) -> Count:
    """Bring each file as a film before one camera."""
    count, tracker, start = Count(), FilmTracker(), 0.0
    for number, file in enumerate(files):
        data = file.read_bytes()
        wanted = ask(data, classifier)
        taken: list[tuple[Film, lightbox.Shot]] = []
        for shot in lightbox.sequence(decode(data), 1000 * seed + number, disturbance, size=size):
            begin = time.perf_counter()
            sighting = tracker.look(shot.frame, start + shot.seconds)
            count.look.append(1000.0 * (time.perf_counter() - begin))
            if sighting.film is not None:
                taken.append((sighting.film, shot))
        start += shot.seconds + BETWEEN
        count.films += 1
        count.once += len(taken) == 1
        count.twice += len(taken) > 1
        error = min((farthest(film, shot) for film, shot in taken), default=None)
        if error is not None and any(overlap(film, shot) >= OVERLAP for film, shot in taken):
            count.found += 1
            count.corners.append(error)
        if len(taken) != 1:
            count.different.append(f"{file.name}: taken {len(taken)} times")
            continue
        got = ask(cv2.imencode(".png", taken[0][0].pixels)[1].tobytes(), classifier)
        count.refused += got.label is None
        if got.label is not None and got.label == wanted.label:
            count.equal += 1
        else:
            count.different.append(f"{file.name}: {said(wanted)} as a file, {said(got)} as a film")
    return count


def ask(data: bytes, classifier: Classifier) -> Finding:
    return answer("film", data, classifier, clock=SYSTEM_CLOCK, received=SYSTEM_CLOCK.now()).finding


def said(finding: Finding) -> str:
    return f"refused ({finding.reason})" if finding.label is None else f"{finding.label} {finding.probability:.2f}"


def farthest(film: Film, shot: lightbox.Shot) -> float:
    """Pixels from a corner to its true place, at the worst one."""
    return min((float(np.linalg.norm(film.outline - true, axis=1).max()) for true in truth(shot)), default=float("inf"))


def overlap(film: Film, shot: lightbox.Shot) -> float:
    """Of the outline and the true one, over what both cover."""
    return max((_overlap(film.outline, true) for true in truth(shot)), default=0.0)


def truth(shot: lightbox.Shot) -> list[NDArray[np.float32]]:
    return [corners for corners in (shot.film, shot.radiograph) if corners is not None]


def _overlap(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    both = float(cv2.intersectConvexConvex(one, other)[0])
    return both / (abs(float(cv2.contourArea(one))) + abs(float(cv2.contourArea(other))) - both)


def draw(folder: Path, films: int, seed: int) -> list[Path]:
    """Half of the films from each class."""
    random = np.random.default_rng(seed)
    drawn = []
    for name in CLASSES:
        files = find_images([folder / name])
        drawn += [files[index] for index in random.permutation(len(files))[: films // 2]]
    return drawn


def report(name: str, count: Count) -> str:
    middle, worst = (statistics.median(count.corners), max(count.corners)) if count.corners else (0.0, 0.0)
    return (
        f"{name:<12} found {count.found} of {count.films}, once {count.once}, twice {count.twice}, "
        f"equal {count.equal}, refused {count.refused}; corner {middle:.1f} px ({worst:.1f}); "
        f"look {statistics.median(count.look):.1f} ms ({np.percentile(count.look, 95):.1f})"
    )


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.lightbox", description="Films before a light box.")
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="holds NORMAL and PNEUMONIA")
    parser.add_argument("--films", type=int, default=100, metavar="N", help="default: %(default)s")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="of the draw and the places")
    parser.add_argument("--bundle", type=Path, default=Path("compact"), metavar="NAME|FILE")
    parser.add_argument("--disturbance", nargs="+", choices=lightbox.DISTURBANCES, default=lightbox.DISTURBANCES)
    parser.add_argument("--size", type=int, nargs=2, default=lightbox.SIZE, metavar=("WIDTH", "HEIGHT"))
    parser.add_argument("--show", action="store_true", help="name the films that were answered otherwise")
    args = parser.parse_args(arguments)
    classifier = material.classifier(args)
    files = draw(args.data, args.films, args.seed)
    total = Count()
    for name in args.disturbance:
        count = measure(files, name, classifier, args.seed, tuple(args.size))
        print(report(name, count), flush=True)
        if args.show:
            print("".join(f"    {line}\n" for line in count.different), end="")
        for part in ("films", "found", "once", "twice", "equal", "refused", "corners", "look"):
            setattr(total, part, getattr(total, part) + getattr(count, part))
    print(report("all", total))


if __name__ == "__main__":
    main()
