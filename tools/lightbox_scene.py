"""The light of one scene at the camera's pixels, and the grey levels that become of it: see ``lightbox``."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from tools.lightbox_setting import Setting

Float = NDArray[np.float32]
Rng = np.random.Generator


@dataclass(frozen=True)
class Film:
    """Where the film lies on the plane: shift in film heights, turn in degrees."""

    x: float
    y: float
    turn: float


class Scene:
    """All that stays the same from frame to frame, as light at the camera's pixels."""

    def __init__(self, radiograph: NDArray[np.uint8], setting: Setting, rng: Rng, size: tuple[int, int]) -> None:
        self._setting, self._size = setting, size
        width, height = size
        self._focal = 0.95 * width
        self._homography = _homography(setting, self._focal, size)
        self._x, self._y = _plane(self._homography, setting, self._focal, size)  # of each pixel, on the film's plane
        self._shift = rng.uniform(-0.04, 0.04, 2) / max(setting.share, 0.5)
        self._x -= np.float32(self._shift[0])
        self._y -= np.float32(self._shift[1])
        self._pixel = float(np.hypot(*(np.diff(self._x[height // 2, width // 2 : width // 2 + 2]).tolist() * 2)))
        self._pixel /= np.sqrt(2.0)
        lens = _radius_squared(size)
        self._lens = 1.0 - np.float32(setting.vignetting) * lens
        self._ambient = np.float32(rng.uniform(0.004, 0.02))
        self._room = _clutter(rng, size) * self._ambient
        self._texture = _texture(radiograph, setting, round(1.0 / self._pixel))
        self._source, lit = self._lamp(rng)
        self._room *= 1 - lit * np.float32(0.9)  # box and screen reflect little of it
        self._noise = rng.standard_normal((height + 256, width + 256), np.float32)
        self._skin = float(rng.uniform(0.02, 0.07))
        self._glare = self._reflections()
        self._last: tuple[Film | None, bool, Float] | None = None  # what did not move need not be computed again

    def render(
        self, film: Film | None, streak: float, *, hand: bool, rng: Rng
    ) -> tuple[NDArray[np.uint8], Float | None, Float | None]:
        """A frame, and the corners of the film and of the radiograph in it.

        Args:
            film: Where it lies, if there is one.
            streak: Length of the motion blur, in pixels.
            hand: Whether a hand holds it though the setting has none.
            rng: Of noise and flicker.
        """
        setting = self._setting
        corners = inner = None
        if film is not None:
            corners, inner = self._corners(film, 0.0), self._corners(film, setting.border)
        if self._last is None or self._last[:2] != (film, hand):
            self._last = film, hand, self._light(film, corners, hand)
        light = self._last[2]
        if streak:
            light = _streaked(light, streak, rng)
        flicker = np.float32(setting.exposure * (1.0 + rng.normal(0.0, 0.01)))
        channels = []
        for colour, tint in enumerate((1.0, 0.98, 0.93)):
            seen = light * (flicker * np.float32(tint))
            if setting.moire and film is not None:
                seen = seen * self._grid(colour)
            row, column = rng.integers(0, 256, 2)
            noise = self._noise[row : row + seen.shape[0], column : column + seen.shape[1]]
            deviation = np.sqrt(np.maximum(seen, 0.0) + np.float32(0.05)) * np.float32(setting.noise)
            channels.append(_levels(seen + noise * deviation))
        encoded = cv2.imencode(".jpg", np.dstack(channels), [cv2.IMWRITE_JPEG_QUALITY, setting.quality])[1]
        return np.asarray(cv2.imdecode(encoded, cv2.IMREAD_COLOR), np.uint8), corners, inner

    def _light(self, film: Film | None, corners: Float | None, hand: bool) -> Float:
        """What comes through the lens when nothing moves."""
        setting, light = self._setting, self._room + self._source
        if film is not None and corners is not None:
            light = self._with_film(light, film)
            if setting.fingers is not None or (hand and not setting.monitor):
                light = self._with_hand(light, corners, setting.fingers or (3, 0.5, 0.02))
        light = (light + self._glare) * self._lens
        return np.asarray(cv2.GaussianBlur(light, (0, 0), setting.blur), np.float32)

    def _lamp(self, rng: Rng) -> tuple[Float, Float]:
        """The light box, or the screen with nothing on it, and the share of each pixel that it takes."""
        setting, half = self._setting, self._setting.aspect / 2
        left, top, right, bottom = setting.surround
        if setting.monitor:
            left = right = max(0.2, (16 / 9 - setting.aspect) / 2 + 0.1)
            top = bottom = 0.12
        cover = self._cover(self._x, self._y, (-half - left, -0.5 - top, half + right, 0.5 + bottom))
        frame = self._cover(self._x, self._y, (-half - left - 0.05, -0.55 - top, half + right + 0.05, 0.55 + bottom))
        at_x, at_y = rng.uniform(-0.3, 0.3, 2)
        far = ((self._x - at_x) ** 2 + (self._y - at_y) ** 2) / 0.8
        even = 1.0 / (1.0 + far * (setting.hot_spot / (1.0 - setting.hot_spot)))
        bezel = (frame - cover) * (self._ambient * 2)
        light = cover * even * (setting.backdrop if setting.monitor else 1.0) + bezel
        return np.asarray(light, np.float32), frame

    def _with_film(self, light: Float, film: Film) -> Float:
        setting, half = self._setting, self._setting.aspect / 2
        turn = np.deg2rad(film.turn)
        x, y = self._x - np.float32(film.x), self._y - np.float32(film.y)
        u = np.float32(np.cos(turn)) * x + np.float32(np.sin(turn)) * y
        v = np.float32(np.cos(turn)) * y - np.float32(np.sin(turn)) * x
        rows, columns = self._texture.shape
        printed = cv2.remap(
            self._texture,
            (u / setting.aspect + np.float32(0.5)) * np.float32(columns) - np.float32(0.5),
            (v + np.float32(0.5)) * np.float32(rows) - np.float32(0.5),
            cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REPLICATE,
        )
        cover = self._cover(u, v, (-half, -0.5, half, 0.5))
        shown = printed if setting.monitor else self._source * printed + self._ambient * np.float32(0.3)
        return np.asarray(light * (1 - cover) + shown * cover, np.float32)

    def _cover(self, x: Float, y: Float, box: tuple[float, float, float, float]) -> Float:
        """The share of each pixel within a rectangle of the plane."""
        left, top, right, bottom = (np.float32(side) for side in box)
        inside = np.minimum(np.minimum(x - left, right - x), np.minimum(y - top, bottom - y))
        return np.asarray(np.clip(inside / np.float32(self._pixel) + np.float32(0.5), 0, 1), np.float32)

    def _corners(self, film: Film, margin: float) -> Float:
        half, turn = self._setting.aspect / 2 - margin, np.deg2rad(film.turn)
        corners = np.array([[-half, margin - 0.5], [half, margin - 0.5], [half, 0.5 - margin], [-half, 0.5 - margin]])
        rotation = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
        plane = corners @ rotation + [film.x, film.y] + self._shift
        ideal = cv2.perspectiveTransform(plane.reshape(-1, 1, 2), self._homography).reshape(-1, 2)
        centre = (np.array(self._size) - 1) / 2
        ray = (ideal - centre) / self._focal
        bent = ray * (1.0 + self._setting.distortion * (ray**2).sum(axis=1, keepdims=True))
        return np.asarray(bent * self._focal + centre, np.float32)

    def _with_hand(self, light: Float, corners: Float, hold: tuple[int, float, float]) -> Float:
        """Fingers over an edge, an arm beyond it, and a soft shadow on the film."""
        side, along, depth = hold
        start, end = ((3, 0), (0, 1), (1, 2), (2, 3))[side]
        edge = corners[end] - corners[start]
        at = corners[start] + along * edge
        inward = corners.mean(axis=0) - (corners[start] + edge / 2)
        inward /= np.linalg.norm(inward)
        unit = edge / np.linalg.norm(edge)
        scale = float(np.linalg.norm(corners[3] - corners[0]))
        hand = np.zeros(light.shape, np.uint8)
        for finger in range(3):
            base = at + unit * (finger - 1) * 0.075 * scale
            tip = base + inward * depth * scale * (1.0 - 0.25 * abs(finger - 1))
            root = base - inward * 0.25 * scale
            cv2.line(hand, _point(root), _point(tip), 255, max(round(0.06 * scale), 1), cv2.LINE_AA)
        cv2.line(hand, _point(at - inward * 0.25 * scale), _point(at - inward * 2 * scale), 255, round(0.28 * scale))
        cover = np.asarray(cv2.GaussianBlur(hand, (0, 0), 1.5), np.float32) / np.float32(255)
        y, x = np.mgrid[: light.shape[0], : light.shape[1]].astype(np.float32)
        centre = at + inward * 0.15 * scale
        far = ((x - centre[0]) ** 2 + (y - centre[1]) ** 2) / np.float32((0.35 * scale) ** 2)
        shaded = light * (1 - np.float32(self._setting.shadow) * np.exp(-far))
        return np.asarray(shaded * (1 - cover) + np.float32(self._skin) * cover, np.float32)

    def _reflections(self) -> Float:
        light = np.zeros(self._x.shape, np.float32)
        for x, y, radius, longer, brightness in self._setting.glare:
            far_x = (self._x - np.float32((x - 0.5) * self._setting.aspect)) / np.float32(radius * longer)
            far_y = (self._y - np.float32(y - 0.5)) / np.float32(radius)
            far = far_x**2 + far_y**2
            # The lamp itself, and the veil around it.
            light += np.float32(brightness) * (np.exp(-(far**2)) + np.float32(0.04) * np.exp(-far / 9))
        return light

    def _grid(self, colour: int) -> Float:
        setting = self._setting
        pixels = np.float32(2 * np.pi * setting.grid / self._pixel)
        across = np.cos(self._x * pixels + np.float32(2 * np.pi * colour / 3))
        down = np.cos(self._y * pixels)
        return np.asarray(1 + np.float32(setting.moire) * (across + down) / 2, np.float32)


def _homography(setting: Setting, focal: float, size: tuple[int, int]) -> NDArray[np.float64]:
    """From the film's plane to pixels."""
    tilt, pan, roll = np.deg2rad([setting.tilt, setting.pan, setting.roll])
    about_x = np.array([[1, 0, 0], [0, np.cos(tilt), -np.sin(tilt)], [0, np.sin(tilt), np.cos(tilt)]])
    about_y = np.array([[np.cos(pan), 0, np.sin(pan)], [0, 1, 0], [-np.sin(pan), 0, np.cos(pan)]])
    about_z = np.array([[np.cos(roll), -np.sin(roll), 0], [np.sin(roll), np.cos(roll), 0], [0, 0, 1]])
    turned = about_z @ about_x @ about_y
    distance = focal / (setting.share * min(size[1], size[0] / setting.aspect))
    pinhole = np.array([[focal, 0, (size[0] - 1) / 2], [0, focal, (size[1] - 1) / 2], [0, 0, 1]])
    return np.asarray(pinhole @ np.column_stack([turned[:, 0], turned[:, 1], [0, 0, distance]]), np.float64)


def _plane(
    homography: NDArray[np.float64], setting: Setting, focal: float, size: tuple[int, int]
) -> tuple[Float, Float]:
    """The point of the film's plane that each pixel sees."""
    y, x = np.mgrid[: size[1], : size[0]].astype(np.float32)
    bent_x, bent_y = (x - (size[0] - 1) / 2) / focal, (y - (size[1] - 1) / 2) / focal
    ray_x, ray_y = bent_x, bent_y
    for _ in range(6):  # a fixed point: the distortion has no inverse in closed form
        grown = 1.0 + setting.distortion * (ray_x**2 + ray_y**2)
        ray_x, ray_y = bent_x / grown, bent_y / grown
    back = np.linalg.inv(homography)
    ideal_x, ideal_y = ray_x * focal + (size[0] - 1) / 2, ray_y * focal + (size[1] - 1) / 2
    plane = [row[0] * ideal_x + row[1] * ideal_y + row[2] for row in back]
    return np.asarray(plane[0] / plane[2], np.float32), np.asarray(plane[1] / plane[2], np.float32)


def _texture(radiograph: NDArray[np.uint8], setting: Setting, rows: int) -> Float:
    """The light that the film lets through or the monitor emits, at about the camera's resolution."""
    rows = max(rows, 16)
    columns = round(rows * setting.aspect)
    shrink = radiograph.shape[0] > rows
    margin = round(setting.border * rows)
    method = cv2.INTER_AREA if shrink else cv2.INTER_CUBIC
    inner = cv2.resize(radiograph, (columns - 2 * margin, rows - 2 * margin), interpolation=method)
    level = np.asarray(inner, np.float32) / np.float32(255)
    edge = 0.0 if setting.border_black else 1.0
    level = np.pad(level, margin, constant_values=edge)
    if setting.monitor:
        return np.asarray(0.003 + 0.997 * level**2.2, np.float32)
    density = 0.2 + setting.density * (1.0 - level)
    return np.asarray(10.0**-density, np.float32)


def _clutter(rng: Rng, size: tuple[int, int]) -> Float:
    """A dark room with things in it."""
    width, height = size
    room = np.full((height, width), 0.5, np.float32)
    for _ in range(int(rng.integers(6, 14))):
        x, y = rng.integers(0, width), rng.integers(0, height)
        box = (int(rng.integers(30, width // 3)), int(rng.integers(30, height // 3)))
        turned = cv2.boxPoints(((float(x), float(y)), box, float(rng.uniform(0, 90)))).astype(np.int32)
        cv2.fillPoly(room, [turned], float(rng.uniform(0.1, 3.0)), cv2.LINE_8)
    for _ in range(3):
        x, y = rng.integers(0, width), rng.integers(0, height)
        cv2.circle(room, (int(x), int(y)), int(rng.integers(8, 60)), float(rng.uniform(0.2, 6.0)), -1)
    return np.asarray(cv2.GaussianBlur(room, (0, 0), 2.0), np.float32)


def _streaked(light: Float, length: float, rng: Rng) -> Float:
    """Motion blur in one direction."""
    size = round(length) | 1
    kernel = np.zeros((size, size), np.float32)
    angle = rng.uniform(0, np.pi)
    reach = np.array([np.cos(angle), np.sin(angle)]) * (size // 2)
    centre = np.array([size // 2, size // 2])
    cv2.line(kernel, _point(centre - reach), _point(centre + reach), 1.0)
    return np.asarray(cv2.filter2D(light, -1, kernel / kernel.sum()), np.float32)


def _levels(light: Float) -> NDArray[np.uint8]:
    """Linear light to the grey levels of sRGB."""
    step = np.clip(light, 0.0, 1.0) * np.float32(4095)
    return np.asarray(_SRGB[np.asarray(step, np.uint16)], np.uint8)


def _srgb() -> NDArray[np.uint8]:
    light = np.linspace(0.0, 1.0, 4096)
    curve = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    return np.asarray(np.rint(255 * curve), np.uint8)


_SRGB = _srgb()


def _radius_squared(size: tuple[int, int]) -> Float:
    """0 in the middle of the frame, 1 in its corners."""
    y, x = np.mgrid[-1 : 1 : size[1] * 1j, -1 : 1 : size[0] * 1j]
    return np.asarray((x**2 + y**2) / 2, np.float32)


def _point(at: NDArray[np.floating]) -> tuple[int, int]:
    return round(float(at[0])), round(float(at[1]))
