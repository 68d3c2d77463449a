"""Places and ways of taking pictures of films, drawn at random: what ``lightbox`` renders."""

from dataclasses import dataclass, replace
from typing import Final, Literal, get_args

import numpy as np

Disturbance = Literal["perspective", "glare", "moire", "noise", "hand", "uneven"]
DISTURBANCES: Final[tuple[Disturbance, ...]] = get_args(Disturbance)


@dataclass(frozen=True)
class Setting:
    """One place and one way of taking pictures. Angles in degrees, lengths in film heights where not said otherwise.

    Attributes:
        monitor: A monitor, not a light box.
        aspect: Width over height of the film.
        share: Of the frame's height, or width, that the film takes.
        tilt, pan, roll: Of the camera against the film, each below 45.
        distortion: Radial, first coefficient, of the lens.
        surround: The box beyond the film at the left, top, right and bottom.
        border: Width of the film's margin around the radiograph.
        border_black: The margin is black, not clear.
        density: From the clear film to black.
        backdrop: What a viewer shows around the picture, as light.
        hot_spot: Light that the box loses from its lamp to its edge, as a share.
        vignetting: Light that the lens loses in the corners, as a share.
        exposure: Grey level of the bare box, linear, 1 where it just saturates.
        noise: Standard deviation at full light, as a share of it.
        blur: Of the lens, sigma in pixels.
        moire: Contrast of a monitor's pixel grid in the picture.
        grid: Pixels of the monitor for one of the camera.
        glare: Reflections: x, y on the film from 0 to 1, radius, elongation, brightness.
        shadow: Light that a hand's shadow takes, as a share.
        fingers: Where a hand holds the film: side (0 left, 1 top, 2 right, 3 bottom), place along it, how far in.
        quality: Of the JPEG.
    """

    monitor: bool
    aspect: float
    share: float
    tilt: float
    pan: float
    roll: float
    distortion: float
    surround: tuple[float, float, float, float]
    border: float
    border_black: bool
    density: float
    backdrop: float
    hot_spot: float
    vignetting: float
    exposure: float
    noise: float
    blur: float
    moire: float
    grid: float
    glare: tuple[tuple[float, float, float, float, float], ...]
    shadow: float
    fingers: tuple[int, float, float] | None
    quality: int


def draw_setting(seed: int, disturbance: Disturbance | None) -> Setting:
    """A place, mild in all but the disturbance."""
    rng = np.random.default_rng([seed, 1])
    near = rng.uniform
    monitor = disturbance == "moire" or (disturbance == "glare" and rng.random() < 0.4)
    setting = Setting(
        monitor=monitor,
        aspect=near(1.1, 1.45),
        share=near(0.5, 0.74),
        tilt=near(-8, 8),
        pan=near(-8, 8),
        roll=near(-4, 4),
        distortion=near(-0.04, 0.01),
        surround=tuple(near(0.06, 0.4, 4).tolist()) if rng.random() < 0.8 else (0.0, 0.0, 0.0, 0.0),
        border=near(0.0, 0.02) if not monitor else 0.0,
        border_black=rng.random() < 0.6,
        density=near(1.6, 2.6),
        backdrop=float(near(0.02, 0.5)),
        hot_spot=near(0.0, 0.12),
        vignetting=near(0.05, 0.2),
        exposure=near(0.75, 1.15),
        noise=near(0.004, 0.012),
        blur=near(0.5, 0.9),
        moire=0.0,
        grid=near(0.45, 1.1),
        glare=(),
        shadow=0.0,
        fingers=None,
        quality=int(rng.integers(82, 94)),
    )
    sign = rng.choice([-1.0, 1.0], 3)
    if disturbance == "perspective":
        setting = replace(
            setting,
            tilt=sign[0] * near(10, 28),
            pan=sign[1] * near(10, 28),
            roll=sign[2] * near(3, 12),
            distortion=near(-0.12, 0.03),
            share=near(0.5, 0.65),
        )
    elif disturbance == "glare":
        count = int(rng.integers(1, 3))
        spots = tuple(
            (near(0.05, 0.95), near(0.05, 0.95), near(0.02, 0.06), near(1.0, 3.0), near(0.5, 3.0)) for _ in range(count)
        )
        setting = replace(setting, glare=spots)
    elif disturbance == "moire":
        setting = replace(setting, moire=near(0.04, 0.12), blur=near(0.4, 0.6))
    elif disturbance == "noise":
        setting = replace(setting, noise=near(0.02, 0.05), exposure=near(0.5, 1.0))
    elif disturbance == "hand":
        hold = (int(rng.integers(0, 4)), near(0.1, 0.9), near(0.03, 0.1))
        setting = replace(setting, shadow=near(0.1, 0.35), fingers=hold)
    elif disturbance == "uneven":
        setting = replace(setting, hot_spot=near(0.3, 0.55), vignetting=near(0.2, 0.4))
    return setting
