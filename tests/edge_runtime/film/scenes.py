"""Drawn radiographs and simulated frames of them, small enough for quick tests."""

from dataclasses import replace
from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from tools import lightbox, synthetic
from tools.lightbox import Disturbance, Setting, Shot

Pixels = NDArray[np.uint8]

SIZE = (960, 720)


@cache
def radiograph(seed: int = 301, name: str = "normal") -> Pixels:
    """One that no other test draws."""
    return synthetic.draw(_models()[name], seed, label=False)


@cache
def _models() -> dict[str, synthetic.ClassModel]:
    return synthetic.load()


def plain(seed: int = 1, **changes: object) -> Setting:
    """A light box larger than the film, a good camera and nothing that disturbs, but for the changes."""
    setting = replace(
        lightbox.draw_setting(seed, None),
        surround=(0.15, 0.15, 0.15, 0.15),
        border=0.0,
        distortion=0.0,
        exposure=0.95,
        noise=0.004,
        share=0.65,
    )
    return replace(setting, **changes)  # type: ignore[arg-type]


def still(
    setting: Setting | None = None,
    *,
    disturbance: Disturbance | None = None,
    seed: int = 1,
    picture: Pixels | None = None,
) -> Shot:
    """One frame with a film that lies still."""
    shown = radiograph() if picture is None else picture
    (shot,) = lightbox.sequence(shown, seed, disturbance, setting=setting, size=SIZE, timeline=[("still", 1)])
    return shot


def empty(setting: Setting | None = None, *, disturbance: Disturbance | None = None, seed: int = 1) -> Shot:
    """One frame without a film."""
    (shot,) = lightbox.sequence(radiograph(), seed, disturbance, setting=setting, size=SIZE, timeline=[("empty", 1)])
    return shot


def grey(shot: Shot) -> Pixels:
    return np.asarray(cv2.cvtColor(shot.frame, cv2.COLOR_BGR2GRAY), np.uint8)


def film(shot: Shot) -> NDArray[np.float32]:
    """The film's true corners in a frame that has one."""
    assert shot.film is not None
    return shot.film
