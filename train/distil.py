"""Learning from a teacher: its answers to the very images that the student sees replace the labels.

A large network, or the mean of several, has learned how like each other the classes look in each radiograph; its soft
answers hold more than a label (Hinton et al. 2015, arXiv:1503.02531). The teacher is shown the same disturbed and mixed
images as the student, not the originals, and the training is long (Beyer et al. 2022, arXiv:2106.05237). Of several
teachers one answers each batch, in turn: the cross entropy is linear in the targets, so that the student's gradient is
that of their mean answer on average, for the cost of one.

A student whose cells see nearly the whole picture answers well and says little by where its class activation map glows.
Where the recipe asks for it, it learns its teacher's map too (attention transfer: Zagoruyko and Komodakis 2017,
arXiv:1612.03928).
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import cycle
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray

from edge_runtime.errors import UsageError
from train import vgg16

Batch = tuple[NDArray[np.float32], NDArray[np.float32]]
BatchWithMaps = tuple[NDArray[np.float32], list[NDArray[np.float32]]]


def load_teachers(folder: Path, dtype: str) -> list[keras.Model]:
    """The members of a finished run, or its one model where it has none.

    Args:
        folder: The run's.
        dtype: Keras dtype policy to run it in.

    Raises:
        UsageError: The folder holds no trained model.
    """
    members = sorted(folder.glob("member-*/vgg16.keras"))
    files = members or [folder / "vgg16.keras"]
    if not files[0].exists():
        raise UsageError(f"{folder} holds no trained model to learn from: name the folder of a finished run.")
    return [vgg16.load(file, dtype) for file in files]


def answered(batches: Iterator[Batch], teachers: Sequence[keras.Model], temperature: float) -> Iterator[Batch]:
    """The same images with a teacher's softened probabilities in place of the targets.

    Args:
        batches: Grey pixels ``float32 (batch, size, size, 1)`` and targets, which are not looked at.
        teachers: From grey pixels to logits ``(batch, 3)``.
        temperature: What their logits are divided by.
    """
    for (images, _), teacher in zip(batches, cycle(teachers), strict=False):
        logits = ops.cast(teacher.predict_on_batch(images), "float32")
        yield images, np.asarray(ops.convert_to_numpy(ops.softmax(logits / temperature)), np.float32)


def with_map(model: keras.Model) -> keras.Model:
    """The same model, its class activation map ``(n, rows, columns, 3)`` as a second output."""
    return keras.Model(model.inputs, [model.output, model.get_layer("map").output])


def answered_with_maps(
    batches: Iterator[Batch], teachers: Sequence[keras.Model], temperature: float, cells: int
) -> Iterator[BatchWithMaps]:
    """As ``answered``, with the teacher's map as a second target.

    Args:
        batches: As there.
        teachers: From ``with_map``.
        temperature: What their logits and maps are divided by.
        cells: Rows and columns of the student's map, to which the teacher's is averaged.

    Raises:
        UsageError: The teacher's map has no whole number of cells for each of the student's.
    """
    for (images, _), teacher in zip(batches, cycle(teachers), strict=False):
        logits, maps = (ops.cast(output, "float32") / temperature for output in teacher.predict_on_batch(images))
        fine = maps.shape[1]
        if fine % cells:
            raise UsageError(
                f"The teacher's map has {fine} x {fine} cells and the student's {cells} x {cells}: leave "
                "teacher_map_weight out of the recipe, or use a stride that divides them."
            )
        pooled = ops.average_pool(maps, fine // cells, data_format="channels_last")
        yield images, [np.asarray(ops.convert_to_numpy(target), np.float32) for target in (ops.softmax(logits), pooled)]


def map_difference(temperature: float) -> Callable[[Any, Any], Any]:
    """Mean square difference between a softened target map and a map."""

    def loss(targets: Any, maps: Any) -> Any:
        return ops.mean(ops.square(targets - maps / temperature), axis=(1, 2, 3))

    return loss


def cross_entropy(temperature: float) -> Callable[[Any, Any], Any]:
    """Cross entropy between target probabilities and logits, both softened by one temperature."""

    def loss(targets: Any, logits: Any) -> Any:
        return keras.losses.categorical_crossentropy(targets, logits / temperature, from_logits=True)

    return loss
