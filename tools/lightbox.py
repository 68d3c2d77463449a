"""A camera before a light box or a monitor, simulated: frames of a film that is brought, held still and taken away.

    python -m tools.lightbox samples/synthetic-normal-1.png --disturbance glare --seed 3 --out /tmp/frames

The light is computed in linear units, in which a bare light box is 1, and only the last step makes grey levels of it:

- The film is printed so that its optical density falls linearly with the file's grey level, as a laser imager does for
  even steps to the eye; what passes is 10 to the power of minus the density. A monitor emits the grey level to 2.2.
- A pinhole camera with radial distortion of the lens sees the plane of film or screen from a pose (Hartley and
  Zisserman 2004, chapter 8). Edges are drawn with the area of a pixel that they cover.
- A monitor's pixels are a cosine grid for each colour, a third of a pixel apart, sampled at the camera's pixels: what
  aliases is moire.
- A reflection adds light. A hand hides, and its shadow takes away a share.
- Photons and the sensor make noise; exposure, the sRGB curve and JPEG come last.

A film's corners are known in every frame. Each number is drawn from the seed, and the same seed gives the same frames.
"""

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from tools.lightbox_scene import Film, Float, Rng, Scene
from tools.lightbox_setting import DISTURBANCES, Disturbance, Setting, draw_setting

__all__ = ["DISTURBANCES", "SIZE", "Disturbance", "Part", "Setting", "Shot", "draw_setting", "sequence"]

Part = Literal["empty", "moving", "shaking", "still"]

SIZE: Final = (1280, 960)  # width, height
_RATE = 5.0  # frames a second
_TIMELINE: Final[tuple[tuple[Part, int], ...]] = (
    ("empty", 2),
    ("moving", 3),
    ("shaking", 2),
    ("still", 8),
    ("moving", 2),
    ("empty", 1),
)


@dataclass(frozen=True, eq=False)
class Shot:
    """One frame.

    Attributes:
        frame: ``uint8 (height, width, 3)``, blue, green, red.
        seconds: Since the first.
        part: What happens.
        film: Corners of the film, ``float32 (4, 2)``, clockwise from its top left, or ``None`` without one.
        radiograph: Corners of the radiograph within its margin, likewise.
    """

    frame: NDArray[np.uint8]
    seconds: float
    part: Part
    film: Float | None
    radiograph: Float | None


def sequence(
    radiograph: NDArray[np.uint8],
    seed: int,
    disturbance: Disturbance | None = None,
    *,
    setting: Setting | None = None,
    size: tuple[int, int] = SIZE,
    timeline: Sequence[tuple[Part, int]] = _TIMELINE,
) -> Iterator[Shot]:
    """The frames of one film.

    Args:
        radiograph: Grey, ``uint8 (rows, columns)``; its own aspect ratio does not count, that of the setting does.
        seed: Of the place and of all that happens.
        disturbance: What is made strong.
        setting: In place of the one that the seed draws.
        size: Width and height of the frames.
        timeline: Parts and their frames.
    """
    setting = setting or draw_setting(seed, disturbance)
    scene = Scene(radiograph, setting, np.random.default_rng([seed, 2]), size)
    rng = np.random.default_rng([seed, 3])
    number, brought = 0, False
    for part, frames in timeline:
        direction = rng.choice([-1.0, 1.0])
        for step in range(frames):
            away = (step + 1) / (frames + 1)
            film, streak = _place(part, (1.0 - away if not brought else away) * direction, setting, rng)
            picture, corners, inner = scene.render(film, streak, hand=part != "still", rng=rng)
            yield Shot(picture, number / _RATE, part, corners, inner)
            number += 1
        brought = brought or part == "still"


def _place(part: Part, away: float, setting: Setting, rng: Rng) -> tuple[Film | None, float]:
    """The film's place and the length of its streak in pixels."""
    if part == "empty" or (part == "moving" and setting.monitor):
        return None, 0.0
    if part == "moving":
        return Film(away * 1.6, abs(away) * 0.5, away * 15), 14.0
    if part == "shaking":
        x, y, turn = rng.normal(0.0, 1.0, 3)
        return (Film(0.0, 0.0, 0.0) if setting.monitor else Film(0.02 * x, 0.02 * y, turn)), 5.0
    return Film(0.0, 0.0, 0.0), 0.0


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m tools.lightbox", description="A film before a simulated camera.")
    parser.add_argument("radiograph", type=Path)
    parser.add_argument("--disturbance", choices=DISTURBANCES)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, required=True, metavar="DIR")
    args = parser.parse_args(arguments)
    radiograph = cv2.imread(str(args.radiograph), cv2.IMREAD_GRAYSCALE)
    if radiograph is None:
        parser.error(f"{args.radiograph} cannot be read as a picture")
    args.out.mkdir(parents=True, exist_ok=True)
    for number, shot in enumerate(sequence(np.asarray(radiograph, np.uint8), args.seed, args.disturbance)):
        cv2.imwrite(str(args.out / f"{number:03}-{shot.part}.png"), shot.frame)
    print(f"{args.out}: {number + 1} frames")


if __name__ == "__main__":
    main()
