"""Pictures the tiny bundle has an opinion on: dark ones are NORMAL, bright ones PNEUMONIA."""

import os
from pathlib import Path

import cv2
import numpy as np

DARK, BRIGHT = 50, 205


def picture(level: int, suffix: str = ".png", *, seed: int = 0) -> bytes:
    """Noise around a grey level, as the bytes of a file; another seed is another picture."""
    pixels = np.random.default_rng(seed).normal(level, 15, (72, 64))
    encoded, data = cv2.imencode(suffix, np.clip(pixels, 0, 255).astype(np.uint8))
    assert encoded
    return data.tobytes()


def put(path: Path, data: bytes, *, age: float = 0.0) -> Path:
    """Write a file, modified ``age`` seconds ago."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    modified = path.stat().st_mtime - age
    os.utime(path, (modified, modified))
    return path
