"""Pictures the gate must tell radiographs from, made by a program: radiographs spoilt on purpose, and drawings.

Real photographs and scans of other body parts would be better examples, but no collection of them belongs to the data
set. Training against made-up outliers carries over to real ones (Hendrycks et al. 2019, arXiv:1812.04606), and
telling a picture from its turned copies to be a good test of what it shows (Golan and El-Yaniv 2018, arXiv:1805.10917).
"""

from collections.abc import Callable, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]
Maker = Callable[[Picture, Sequence[Picture], np.random.Generator], NDArray[np.generic]]

SIZE = 224
_HALF = SIZE // 2


def mild(image: Picture, rng: np.random.Generator) -> Picture:
    """A radiograph as another room might have taken it: a little turned, moved, nearer or farther, softer, framed."""
    matrix = cv2.getRotationMatrix2D((_HALF, _HALF), rng.uniform(-8, 8), 1.0)
    zoom = rng.uniform(0.9, 1.12, 2)
    matrix = np.asarray(matrix * zoom[:, np.newaxis], np.float64)
    shift = _HALF * (1 - zoom) + rng.uniform(-10, 10, 2)
    matrix = np.column_stack([matrix[:, :2], matrix[:, 2] + shift])
    border = cv2.BORDER_REPLICATE if rng.random() < 0.5 else cv2.BORDER_CONSTANT
    changed = np.asarray(cv2.warpAffine(image, matrix, (SIZE, SIZE), borderMode=border), np.uint8)
    if rng.random() < 0.3:
        changed = np.asarray(cv2.GaussianBlur(changed, (0, 0), rng.uniform(0.5, 1.5)), np.uint8)
    changed = _gamma(changed, rng.uniform(0.7, 1.5))
    if rng.random() < 0.3:
        width = int(rng.integers(3, 17))
        framed = np.full_like(changed, 0 if rng.random() < 0.5 else 255)
        framed[width:-width, width:-width] = changed[width:-width, width:-width]
        changed = framed
    return changed


def make(images: Sequence[Picture] | Picture, rng: np.random.Generator) -> list[Picture]:
    """One counterexample for each of the radiographs ``(n, 224, 224)``, of every kind in turn."""
    made = []
    others = list(images)
    for index, image in enumerate(others):
        picture = np.asarray(_MAKERS[index % len(_MAKERS)](image, others, rng), np.uint8)
        if picture.shape != (SIZE, SIZE):
            picture = np.asarray(cv2.resize(np.ascontiguousarray(picture), (SIZE, SIZE)), np.uint8)
        made.append(np.ascontiguousarray(picture))
    return made


def _gamma(image: Picture, exponent: float) -> Picture:
    return np.rint(255.0 * (np.arange(256) / 255.0) ** exponent).astype(np.uint8)[image]


def _half(image: Picture, _: Sequence[Picture], rng: np.random.Generator) -> NDArray[np.generic]:
    parts = (image[:, :_HALF], image[:, _HALF:], image[: round(0.55 * SIZE)], image[round(0.55 * SIZE) :])
    return parts[rng.integers(len(parts))]


def _piece(image: Picture, _: Sequence[Picture], rng: np.random.Generator) -> NDArray[np.generic]:
    side = int(rng.integers(60, 130))
    y, x = rng.integers(0, SIZE - side, 2)
    return image[y : y + side, x : x + side]


def _collage(image: Picture, images: Sequence[Picture], rng: np.random.Generator) -> NDArray[np.generic]:
    count = int(rng.choice([2, 3]))
    small = [np.asarray(cv2.resize(images[i], (SIZE // count, SIZE // count))) for i in rng.integers(0, len(images), 9)]
    if rng.random() < 0.5:
        small = [np.asarray(cv2.resize(image, (SIZE // count, SIZE // count)))] * 9
    if rng.random() < 0.3:
        return np.hstack(small[:2])
    return np.vstack([np.hstack(small[row * count : (row + 1) * count]) for row in range(count)])


def _pasted(image: Picture, _: Sequence[Picture], rng: np.random.Generator) -> NDArray[np.generic]:
    side = int(rng.integers(70, 150))
    page = np.full((SIZE, SIZE), rng.integers(0, 256), np.uint8)
    y, x = rng.integers(0, SIZE - side, 2)
    page[y : y + side, x : x + side] = cv2.resize(image, (side, side))
    return page


def _shuffled(image: Picture, _: Sequence[Picture], rng: np.random.Generator) -> NDArray[np.generic]:
    count = int(rng.choice([2, 4, 7]))
    side = SIZE // count
    tiles = image.reshape(count, side, count, side).swapaxes(1, 2).reshape(-1, side, side)
    tiles = tiles[rng.permutation(len(tiles))]
    return tiles.reshape(count, count, side, side).swapaxes(1, 2).reshape(SIZE, SIZE)


def _doubled(image: Picture, _: Sequence[Picture], rng: np.random.Generator) -> NDArray[np.generic]:
    if rng.random() < 0.5:
        return np.vstack([image[_HALF:], image[:_HALF]])
    return np.hstack([image[:, _HALF:], image[:, :_HALF]])


def _scrambled(image: Picture, _: Sequence[Picture], rng: np.random.Generator) -> NDArray[np.generic]:
    phases = np.angle(np.fft.fft2(rng.standard_normal(image.shape)))
    return np.clip(np.fft.ifft2(np.abs(np.fft.fft2(image)) * np.exp(1j * phases)).real, 0, 255)


def _aslant(image: Picture, _: Sequence[Picture], rng: np.random.Generator) -> NDArray[np.generic]:
    degrees = rng.uniform(25, 155) * rng.choice([-1, 1])
    border = cv2.BORDER_REPLICATE if rng.random() < 0.5 else cv2.BORDER_CONSTANT
    matrix = cv2.getRotationMatrix2D((_HALF, _HALF), degrees, 1.0)
    return np.asarray(cv2.warpAffine(image, matrix, (SIZE, SIZE), borderMode=border))


def _noise(_: Picture, __: Sequence[Picture], rng: np.random.Generator) -> NDArray[np.generic]:
    noise = np.asarray(cv2.GaussianBlur(rng.standard_normal((SIZE, SIZE)), (0, 0), 2 ** rng.uniform(-1, 6)))
    return np.clip(noise / noise.std() * rng.uniform(20, 70) + rng.uniform(60, 190), 0, 255)


def _shapes(_: Picture, __: Sequence[Picture], rng: np.random.Generator) -> NDArray[np.generic]:
    page = np.full((SIZE, SIZE), rng.integers(0, 256), np.uint8)
    for _index in range(rng.integers(1, 12)):
        level = int(rng.integers(0, 256))
        first, second = (tuple(int(v) for v in rng.integers(0, SIZE, 2)) for _end in range(2))
        if rng.random() < 0.5:
            axes = (int(rng.integers(8, 110)), int(rng.integers(8, 110)))
            cv2.ellipse(page, first, axes, rng.uniform(0, 180), 0, 360, level, -1)
        else:
            cv2.rectangle(page, first, second, level, -1)
    return np.asarray(cv2.GaussianBlur(page, (0, 0), rng.uniform(0.5, 8)))


def _phantom(_: Picture, __: Sequence[Picture], rng: np.random.Generator) -> NDArray[np.generic]:
    """A body with one air-filled space and a column of bones, as from the side, or with limbs of bone."""
    page = np.full((SIZE, SIZE), rng.uniform(0, 50), np.float32)
    tissue, air, bone = (np.zeros((SIZE, SIZE), np.float32) for _part in range(3))
    if rng.random() < 0.6:
        centre = rng.uniform(90, 134, 2)
        cv2.ellipse(
            tissue, _point(centre), _point(rng.uniform([60, 85], [105, 130])), rng.uniform(-15, 15), 0, 360, 1, -1
        )
        for _index in range(rng.integers(1, 3)):
            place = centre + rng.uniform(-25, 25, 2)
            cv2.ellipse(
                air, _point(place), _point(rng.uniform([25, 40], [60, 90])), rng.uniform(-30, 30), 0, 360, 1, -1
            )
        heart = centre + rng.uniform([-40, 0], [40, 45])
        cv2.ellipse(bone, _point(heart), _point(rng.uniform(15, 40, 2)), rng.uniform(0, 180), 0, 360, 0.7, -1)
        x, lean = rng.choice([rng.uniform(20, 70), rng.uniform(150, 205)]), rng.uniform(-0.2, 0.2)
        for y in range(0, SIZE, 16):
            cv2.ellipse(bone, _point((x + lean * y, y)), (int(rng.integers(8, 16)), 6), 0, 0, 360, 1, -1)
    else:
        for _index in range(rng.integers(1, 5)):
            ends = [_point(rng.uniform(-20, SIZE + 20, 2)) for _end in range(2)]
            width = int(rng.integers(20, 90))
            cv2.line(tissue, ends[0], ends[1], 1, width)
            cv2.line(bone, ends[0], ends[1], 1, max(width // int(rng.integers(3, 6)), 2))
    for part, level in (
        (tissue, rng.uniform(60, 150)),
        (air * tissue, -rng.uniform(40, 110)),
        (bone, rng.uniform(30, 90)),
    ):
        page += level * np.asarray(cv2.GaussianBlur(part, (0, 0), rng.uniform(1, 5)))
    return np.clip(page + rng.normal(0, 3, page.shape), 0, 255)


def _superimposed(image: Picture, _: Sequence[Picture], rng: np.random.Generator) -> NDArray[np.generic]:
    """Both lungs over each other, the spine at one side: what a view from the side does to a chest."""
    middle = int(rng.integers(95, 130))
    width = min(middle, SIZE - middle)
    left, right = image[:, middle - width : middle], image[:, middle : middle + width][:, ::-1]
    share = rng.uniform(0.25, 0.75)
    both = np.asarray(share * left + (1 - share) * right)
    spine = rng.uniform(20, 90) * np.exp(
        -(((np.arange(width) - width + rng.integers(5, 30)) / rng.uniform(5, 14)) ** 2)
    )
    both = both + spine * (1 + 0.3 * np.sin(np.arange(SIZE) / rng.uniform(2, 5)))[:, np.newaxis]
    page = np.full((SIZE, SIZE), rng.uniform(0, 40))
    wide, x = int(rng.integers(110, SIZE + 1)), 0
    x = int(rng.integers(0, SIZE - wide + 1))
    page[:, x : x + wide] = cv2.resize(both, (wide, SIZE))
    page = np.clip(page, 0, 255)
    return page if rng.random() < 0.5 else page[:, ::-1]


def _from_the_side(_: Picture, __: Sequence[Picture], rng: np.random.Generator) -> NDArray[np.generic]:
    """A drawn chest from the side: a trunk with one clear space over a diaphragm, a heart in it, a spine behind."""
    tissue, air, bone = (np.zeros((SIZE, SIZE), np.float32) for _part in range(3))
    down = np.linspace(0, 1, 12)
    front = SIZE * (rng.uniform(0.05, 0.3) - rng.uniform(-0.05, 0.1) * np.sin(np.pi * down))
    back = SIZE * (rng.uniform(0.7, 0.97) + rng.uniform(-0.1, 0.08) * np.sin(np.pi * down))
    outline = np.concatenate([np.column_stack([front, SIZE * down]), np.column_stack([back, SIZE * down])[::-1]])
    cv2.fillPoly(tissue, [outline.astype(np.int32)], 1)
    top, floor = rng.uniform(0.02, 0.2), rng.uniform(0.6, 0.95)
    inner = top + (floor - top) * down
    slope = rng.uniform(-0.1, 0.25) * down[-1]
    belly = 0.5 * (front + back)
    reach = 0.5 * (back - front) * rng.uniform(0.65, 0.95) * np.sqrt(np.clip(0.35 + down, 0, 1))
    clear = np.concatenate(
        [
            np.column_stack([belly - reach, SIZE * inner]),
            np.column_stack([belly + reach, SIZE * (inner + slope * down)])[::-1],
        ]
    )
    cv2.fillPoly(air, [clear.astype(np.int32)], 1)
    for y in range(0, SIZE, int(rng.integers(10, 20))):
        x = float(np.interp(y / SIZE, down, back)) - rng.uniform(8, 14)
        cv2.ellipse(bone, _point((x, y)), (int(rng.integers(7, 16)), int(rng.integers(4, 8))), 0, 0, 360, 1, -1)
    place = (float(belly.mean()) - rng.uniform(0, 50), SIZE * rng.uniform(0.4, 0.7))
    cv2.ellipse(
        bone, _point(place), _point(rng.uniform(18, 45, 2)), rng.uniform(0, 180), 0, 360, rng.uniform(0.3, 1), -1
    )
    page = np.full((SIZE, SIZE), rng.uniform(0, 40), np.float32)
    parts = ((tissue, rng.uniform(90, 160)), (air * tissue, -rng.uniform(40, 110)), (bone, rng.uniform(25, 80)))
    for part, level in parts:
        page += level * np.asarray(cv2.GaussianBlur(part, (0, 0), rng.uniform(1.5, 6)))
    page = np.clip(page + rng.normal(0, rng.uniform(1, 5), page.shape), 0, 255)
    return page if rng.random() < 0.5 else page[:, ::-1]


def _point(values: Sequence[float] | NDArray[np.floating]) -> tuple[int, int]:
    return int(values[0]), int(values[1])


_MAKERS: tuple[Maker, ...] = (
    lambda image, *_: np.rot90(image),
    lambda image, *_: np.rot90(image, 3),
    lambda image, *_: image[::-1],
    lambda image, *_: image[::-1, ::-1],
    lambda image, *_: 255 - image,
    lambda image, _, rng: 255 - np.rot90(image, int(rng.integers(1, 4))),
    _half,
    _piece,
    _collage,
    _pasted,
    _shuffled,
    _doubled,
    _scrambled,
    _aslant,
    _noise,
    _shapes,
    _phantom,
    _phantom,
    _superimposed,
    _superimposed,
    _from_the_side,
    _from_the_side,
)
