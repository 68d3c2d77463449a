"""Synthetic radiographs: fit a small model to the training images once, draw from it for samples and tests.

    python -m tools.synthetic fit DATA            reads DATA/train, writes tools/synthetic.npz
    python -m tools.synthetic draw --out samples  six of each class, from tools/synthetic.npz alone

The model is an active appearance model (Cootes, Edwards and Taylor 2001, doi 10.1109/34.927467) per class: every image
is registered to one mean anatomy, then the registered grey levels and the displacement fields each get a principal
component analysis. It keeps a mean, two dozen appearances and a dozen shapes of more than a thousand images a class,
and a drawing mixes them at random, so no patient's radiograph is in it or comes out of it.
"""

import argparse
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_runtime.radiograph.decode import decode
from edge_runtime.radiograph.prepare import prepare

MODEL = Path(__file__).with_name("synthetic.npz")
CLASSES = ("normal", "pneumonia")

_SIZE = 224  # of the registered images, their mean and a drawing before it is enlarged
_APPEARANCE_SIZE, _APPEARANCES = 112, 24
_SHAPE_SIZE, _SHAPES = 28, 12
_TEMPLATE_IMAGES, _TEMPLATE_ROUNDS, _CLASS_ROUNDS = 400, 8, 2

# A drawing stays within the middle 87% of each component: typical of its class, and no limb grows to infinity.
_LARGEST_DEVIATION = 1.5
_GRAIN = 2.0  # grey levels, standard deviation

Float = NDArray[np.float32]


@dataclass(frozen=True)
class Components:
    """The principal components of one class' images or shapes, as they are stored."""

    mean: Float
    """``(values,)``"""
    directions: NDArray[np.int8]
    """``(components, values)``, each to be multiplied by its scale."""
    scale: Float
    """``(components,)``: a direction times its scale is one standard deviation."""

    def draw(self, random: np.random.Generator) -> Float:
        weights = np.clip(random.standard_normal(len(self.scale)), -_LARGEST_DEVIATION, _LARGEST_DEVIATION)
        return np.asarray(self.mean + (weights * self.scale) @ self.directions, np.float32)


@dataclass(frozen=True)
class ClassModel:
    """What is known of one class."""

    mean: NDArray[np.uint8]
    """The mean of the registered images: ``(224, 224)``."""
    appearance: Components
    """What the registered images differ by: ``112 * 112`` grey levels."""
    shape: Components
    """Where the mean anatomy lies in an image: ``28 * 28 * 2`` displacements in pixels of 224, x before y."""


def draw(model: ClassModel, seed: int, height: int = 448, width: int = 512, *, label: bool = True) -> NDArray[np.uint8]:
    """One synthetic radiograph.

    Args:
        model: Of the class wanted, from :func:`load`.
        seed: Each seed is another patient that never was.
        height: Rows.
        width: Columns; the training images are wider than tall before they are squashed to a square.
        label: Burn the word SYNTHETIC into the lower left corner.

    Returns:
        ``uint8`` grey pixels of shape ``(height, width)``.
    """
    random = np.random.default_rng(seed)
    appearance = _resize(model.appearance.draw(random).reshape(_APPEARANCE_SIZE, _APPEARANCE_SIZE), _SIZE)
    shape = _resize(model.shape.draw(random).reshape(_SHAPE_SIZE, _SHAPE_SIZE, 2), _SIZE)
    image = _sample(model.mean.astype(np.float32) + appearance, _inverse(shape))
    image = np.asarray(cv2.resize(image, (width, height), interpolation=cv2.INTER_CUBIC), np.float32)
    image += _GRAIN * cv2.GaussianBlur(random.standard_normal((height, width)), (0, 0), 0.8) * 2.0
    pixels = np.clip(np.rint(image), 0, 255).astype(np.uint8)
    if label:
        corner = (width // 64, height - height // 64)
        cv2.putText(pixels, "SYNTHETIC", corner, cv2.FONT_HERSHEY_SIMPLEX, width / 1024, 255, 1, cv2.LINE_AA)
    return pixels


def load(path: Path = MODEL) -> dict[str, ClassModel]:
    """The fitted model of each class in :data:`CLASSES`."""
    with np.load(path) as arrays:
        return {name: _unpack(arrays, name) for name in CLASSES}


def fit(normal: Sequence[NDArray[np.uint8]], pneumonia: Sequence[NDArray[np.uint8]]) -> dict[str, ClassModel]:
    """Fit the model of each class.

    Normal radiographs show the anatomy most clearly, so the mean anatomy is found on them and pneumonia starts from it.

    Args:
        normal: Grey images of shape ``(224, 224)``.
        pneumonia: The same.
    """
    template: Float = np.mean(normal[:_TEMPLATE_IMAGES], axis=0).astype(np.float32)
    for round_ in range(_TEMPLATE_ROUNDS):
        # From the body's outline to its ribs: the displacements may bend more and more.
        template = _register(template, normal[:_TEMPLATE_IMAGES], smooth=max(_SIZE / 40, _SIZE / 10 * 0.75**round_))[2]
    models = {}
    for name, images in zip(CLASSES, (normal, pneumonia), strict=True):
        own = template
        for _ in range(_CLASS_ROUNDS):
            registered, shapes, own = _register(own, images, smooth=_SIZE / 40)
        mean = np.asarray(np.mean(registered, axis=0), np.float32)
        appearances = np.stack([_resize(image - mean, _APPEARANCE_SIZE).ravel() for image in registered])
        models[name] = ClassModel(
            np.rint(mean).astype(np.uint8), _components(appearances, _APPEARANCES), _components(shapes, _SHAPES)
        )
    return models


def _register(
    template: Float, images: Sequence[NDArray[np.uint8]], smooth: float
) -> tuple[list[NDArray[np.uint8]], Float, Float]:
    """Displace every image onto the template by dense optical flow (Kroeger et al. 2016, arXiv:1603.03590).

    Returns:
        The displaced images, the displacements ``(n, 28 * 28 * 2)`` and the next template: the displaced images' mean,
        itself displaced by the mean displacement, so that it drifts towards the mean shape.
    """
    target = _equalized(np.asarray(cv2.normalize(template, None, 0, 255, cv2.NORM_MINMAX), np.uint8))  # type: ignore[call-overload]

    def displace(image: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], Float]:
        flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
        field = np.asarray(flow.calc(target, _equalized(image), None), np.float32)  # type: ignore[call-overload]
        field = np.asarray(cv2.GaussianBlur(field, (0, 0), smooth), np.float32)
        return _sample(image.astype(np.float32), field).astype(np.uint8), _resize(field, _SHAPE_SIZE).ravel()

    with ThreadPoolExecutor() as pool:
        registered, shapes = zip(*pool.map(displace, images), strict=True)
    fields_ = np.stack(shapes)
    mean_field = _resize(fields_.mean(axis=0).reshape(_SHAPE_SIZE, _SHAPE_SIZE, 2), _SIZE)
    mean_image = np.asarray(np.mean(registered, axis=0), np.float32)
    return list(registered), fields_, _sample(mean_image, -mean_field)


def _components(samples: Float, count: int) -> Components:
    mean = samples.mean(axis=0)
    centred = samples - mean
    # Of the few samples against each other rather than of the many values: the same components, less work.
    values, vectors = np.linalg.eigh(centred @ centred.T)
    deviations = np.sqrt(np.maximum(values[::-1][:count], 0) / len(samples))
    directions = vectors[:, ::-1][:, :count].T @ centred
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    steps = np.abs(directions).max(axis=1, keepdims=True) / 127
    return Components(mean, np.rint(directions / steps).astype(np.int8), (deviations * steps[:, 0]).astype(np.float32))


def _equalized(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.asarray(cv2.createCLAHE(2.0, (4, 4)).apply(image), np.uint8)


def _resize(image: Float, size: int) -> Float:
    shrink = size < image.shape[0]
    method = cv2.INTER_AREA if shrink else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(image, (size, size), interpolation=method), np.float32)


def _sample(image: Float, field: Float) -> Float:
    """The image read at every pixel's place plus its displacement ``field``, ``(height, width, 2)``, x before y."""
    rows, columns = np.mgrid[: image.shape[0], : image.shape[1]].astype(np.float32)
    x, y = columns + field[..., 0], rows + field[..., 1]
    return np.asarray(cv2.remap(image, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), np.float32)


def _inverse(field: Float) -> Float:
    inverse = -field
    for _ in range(8):  # a fixed point: the displacement back is minus the displacement at the place it leads to
        inverse = -np.dstack([_sample(np.ascontiguousarray(field[..., axis]), inverse) for axis in (0, 1)])
    return inverse


def _pack(models: dict[str, ClassModel]) -> dict[str, NDArray[np.generic]]:
    arrays: dict[str, NDArray[np.generic]] = {}
    for name, model in models.items():
        arrays[f"{name}.mean"] = model.mean
        for part in ("appearance", "shape"):
            components: Components = getattr(model, part)
            for field in fields(Components):
                value = getattr(components, field.name)
                stored = np.float16 if field.name == "mean" else value.dtype
                arrays[f"{name}.{part}.{field.name}"] = value.astype(stored)
    return arrays


def _unpack(arrays: dict[str, NDArray[np.generic]], name: str) -> ClassModel:
    def components(part: str) -> Components:
        mean, directions, scale = (arrays[f"{name}.{part}.{field.name}"] for field in fields(Components))
        return Components(mean.astype(np.float32), directions.astype(np.int8), scale.astype(np.float32))

    return ClassModel(arrays[f"{name}.mean"].astype(np.uint8), components("appearance"), components("shape"))


def _read(folder: Path) -> list[NDArray[np.uint8]]:
    paths = sorted(path for path in folder.iterdir() if path.suffix.lower() in {".jpeg", ".jpg", ".png"})
    # The first images make the template; shuffled, they are a sample of all.
    order = np.random.default_rng(0).permutation(len(paths))
    return [prepare(decode(paths[index].read_bytes()), _SIZE, _SIZE)[0, :, :, 0] for index in order]


def _fit_command(args: argparse.Namespace) -> None:
    normal, pneumonia = (_read(args.data / "train" / name.upper()) for name in CLASSES)
    np.savez_compressed(args.model, **_pack(fit(normal, pneumonia)))  # type: ignore[arg-type]
    print(f"{args.model}: {args.model.stat().st_size / 1e6:.2f} MB from {len(normal)} + {len(pneumonia)} images")


def _draw_command(args: argparse.Namespace) -> None:
    args.out.mkdir(parents=True, exist_ok=True)
    for name, model in load(args.model).items():
        for number in range(1, args.count + 1):
            path = args.out / f"synthetic-{name}-{number}.png"
            cv2.imwrite(str(path), draw(model, args.seed + number - 1), [cv2.IMWRITE_PNG_COMPRESSION, 9])
    print(f"{args.out}: {args.count} of each of {', '.join(CLASSES)}")


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m tools.synthetic", description="Synthetic radiographs.")
    commands = parser.add_subparsers(required=True)
    fit_parser = commands.add_parser("fit", help="fit the model to DATA/train/{NORMAL,PNEUMONIA}")
    fit_parser.add_argument("data", type=Path)
    fit_parser.set_defaults(run=_fit_command)
    draw_parser = commands.add_parser("draw", help="draw radiographs from the model")
    draw_parser.add_argument("--out", type=Path, default=Path("samples"))
    draw_parser.add_argument("--count", type=int, default=6, help="of each class (default: %(default)s)")
    draw_parser.add_argument("--seed", type=int, default=1, help="of the first one (default: %(default)s)")
    draw_parser.set_defaults(run=_draw_command)
    for command in (fit_parser, draw_parser):
        command.add_argument("--model", type=Path, default=MODEL, help="default: %(default)s")
    args = parser.parse_args(arguments)
    args.run(args)


if __name__ == "__main__":
    main()
