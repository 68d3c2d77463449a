"""What radiographs really suffer between the detector and the file, drawn at random for training."""

import cv2
import msgspec
import numpy as np
from numpy.typing import NDArray

Rng = np.random.Generator


class Augmentation(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How far each disturbance may go. Angles in degrees, shifts and scales as shares, noise in grey levels."""

    rotation: float = 10.0
    shift: float = 0.08
    scale: float = 0.15
    aspect: float = 0.12
    shear: float = 0.05
    mirror: float = 0.5
    gamma: float = 0.5
    contrast: float = 0.3
    brightness: float = 0.15
    local_contrast: float = 0.2
    blur: float = 1.2
    sharpen: float = 0.6
    noise: float = 10.0
    border: float = 0.2
    erase: float = 0.3


def augment(image: NDArray[np.uint8], size: int, strength: Augmentation, rng: Rng) -> NDArray[np.uint8]:
    """Disturb one radiograph and bring it to the training size.

    Args:
        image: ``uint8`` of shape ``(rows, columns)``.
        size: Height and width of the result in pixels.
        strength: How far each disturbance may go.
        rng: Source of every random choice.

    Returns:
        ``uint8`` of shape ``(size, size)``.
    """
    warped = _warp(image, size, strength, rng)
    levels = warped.astype(np.float32) / 255.0
    levels = _tone(levels, strength, rng)
    levels = _focus(levels, size, strength, rng)
    if rng.random() < 0.5:
        levels = levels + rng.standard_normal(levels.shape, np.float32) * (rng.random() * strength.noise / 255.0)
    _cover(levels, strength, rng)
    return np.clip(levels * 255.0 + 0.5, 0, 255).astype(np.uint8)


def _warp(image: NDArray[np.uint8], size: int, strength: Augmentation, rng: Rng) -> NDArray[np.uint8]:
    """Rotation, scale, aspect, shear, mirror and shift in one resampling."""
    rows, columns = image.shape
    angle = np.deg2rad(_symmetric(rng, strength.rotation))
    zoom = np.exp(_symmetric(rng, strength.scale))
    stretch = np.exp(_symmetric(rng, strength.aspect))
    flip = -1.0 if rng.random() < strength.mirror else 1.0
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    shear = np.array([[1.0, _symmetric(rng, strength.shear)], [0.0, 1.0]])
    linear = turn @ shear @ np.diag([flip * zoom * stretch, zoom / stretch]) @ np.diag([size / columns, size / rows])
    centre = np.array([columns - 1, rows - 1]) / 2
    shift = np.array([_symmetric(rng, strength.shift), _symmetric(rng, strength.shift)]) * size
    offset = np.array([size - 1, size - 1]) / 2 + shift - linear @ centre
    matrix = np.hstack([linear, offset[:, None]])
    # Beyond its edge a radiograph goes on as black collimation or, where it was cropped, as more of the same.
    border = cv2.BORDER_CONSTANT if rng.random() < 0.5 else cv2.BORDER_REPLICATE
    return np.asarray(cv2.warpAffine(image, matrix, (size, size), flags=cv2.INTER_LINEAR, borderMode=border), np.uint8)


def _tone(levels: NDArray[np.float32], strength: Augmentation, rng: Rng) -> NDArray[np.float32]:
    """Exposure and the film's curve: gamma, contrast, brightness, sometimes local contrast."""
    if rng.random() < strength.local_contrast:
        equalizer = cv2.createCLAHE(clipLimit=float(rng.uniform(1.0, 3.0)), tileGridSize=(4, 4))
        levels = np.asarray(equalizer.apply((levels * 255).astype(np.uint8)), np.float32) / 255.0
    levels = np.power(levels, np.float32(np.exp(_symmetric(rng, strength.gamma))))
    middle = float(levels.mean())
    contrast = float(np.exp(_symmetric(rng, strength.contrast)))
    levels = (levels - middle) * contrast + (middle + _symmetric(rng, strength.brightness))
    return np.clip(levels, 0.0, 1.0).astype(np.float32)


def _focus(levels: NDArray[np.float32], size: int, strength: Augmentation, rng: Rng) -> NDArray[np.float32]:
    """Blur of motion and focus, or the sharpening that many detectors apply."""
    draw = rng.random()
    if draw < 0.3:
        sigma = float(rng.uniform(0.2, 1.0) * strength.blur * size / 224)
        return np.asarray(cv2.GaussianBlur(levels, (0, 0), max(sigma, 0.1)), np.float32)
    if draw < 0.5:
        soft = np.asarray(cv2.GaussianBlur(levels, (0, 0), 2.0 * size / 224), np.float32)
        return levels + (levels - soft) * np.float32(rng.random() * strength.sharpen)
    return levels


def _cover(levels: NDArray[np.float32], strength: Augmentation, rng: Rng) -> None:
    """Black or white margins of film and collimator, and patches hidden by markers and leads, in place."""
    size = levels.shape[0]
    if rng.random() < strength.border:
        shade = rng.choice([0.0, 0.0, 1.0])
        top, bottom, left, right = (int(rng.random() * 0.08 * size) for _ in range(4))
        levels[:top], levels[size - bottom :] = shade, shade
        levels[:, :left], levels[:, size - right :] = shade, shade
    if rng.random() < strength.erase:
        height, width = (int(rng.uniform(0.1, 0.3) * size) for _ in range(2))
        y, x = int(rng.integers(0, size - height)), int(rng.integers(0, size - width))
        levels[y : y + height, x : x + width] = rng.random()


def _symmetric(rng: Rng, reach: float) -> float:
    return float(rng.uniform(-reach, reach))
