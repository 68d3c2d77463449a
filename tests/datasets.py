"""A small data set of the published layout, drawn: bright spots in the lungs of those who are ill."""

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

SIZE = 96


def make_data_set(root: Path, *, train: int = 30, test: int = 12, seed: int = 0) -> Path:
    """Write ``chest_xray/{train,val,test}/{NORMAL,PNEUMONIA}`` below ``root``, a third of each label; returns its path.

    Args:
        root: Where the folder is made.
        train: Images of the training split, divisible by 3.
        test: Images of the test split, divisible by 3.
        seed: Of the drawing.
    """
    data = root / "chest_xray"
    rng = np.random.default_rng(seed)
    for split, count in (("train", train), ("val", 3), ("test", test)):
        for i in range(count // 3):
            _write(data / split / "NORMAL" / f"IM-{i:04d}-0001.jpeg", draw(rng, 0))
            _write(data / split / "PNEUMONIA" / f"person{i}_bacteria_{i}.jpeg", draw(rng, 1))
            _write(data / split / "PNEUMONIA" / f"person{i + count}_virus_{i}.jpeg", draw(rng, 4))
    return data


def draw(rng: np.random.Generator, spots: int) -> NDArray[np.uint8]:
    """A trunk with two dark lungs and bright spots in them: ``uint8`` of shape ``(96, 96)``."""
    image = np.full((SIZE, SIZE), 150, np.uint8)
    for x in (32, 64):
        cv2.ellipse(image, (x, 50), (12, 28), 0, 0, 360, 60, -1)
    for _ in range(spots):
        x, y = int(rng.choice([32, 64])) + int(rng.integers(-6, 7)), int(rng.integers(34, 70))
        cv2.circle(image, (x, y), 12 if spots == 1 else 5, 200, -1)
    noisy = cv2.GaussianBlur(image, (0, 0), 1.5) + rng.normal(0, 6, image.shape)
    return np.clip(noisy, 0, 255).astype(np.uint8)


def _write(path: Path, image: NDArray[np.uint8]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), image)
