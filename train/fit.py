"""The training itself: stages of a recipe, weights averaged, a checkpoint every epoch."""

import os
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import cv2
import keras
import msgspec
import numpy as np
from numpy.typing import NDArray
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from train import acquisition, checkpoint, distil
from train.batches import Plan, epoch_batches, steps_per_epoch
from train.evaluate import Figures, figures, pneumonia_probability
from train.recipe import Recipe, Stage

MODEL_FILE = "vgg16.keras"
HISTORY_FILE = "history.jsonl"
_PREDICT_BATCH = 32


class Labelled(msgspec.Struct, frozen=True):
    """Radiographs and what they show: ``uint8 (n, 224, 224, 1)`` and ``float32 (n, 3)``."""

    pixels: NDArray[np.uint8]
    targets: NDArray[np.float32]


class Epoch(msgspec.Struct, frozen=True):
    """One line of ``history.jsonl``."""

    epoch: int
    size: int
    loss: float
    validation: Figures
    seconds: float


def prepare_backend(precision: str, seed: int) -> str:
    """Seed every generator and choose the precision: ``auto`` takes bfloat16 where the machine multiplies it faster.

    Returns:
        The Keras dtype policy that is in force.
    """
    keras.utils.set_random_seed(seed)
    policy = precision if precision != "auto" else ("mixed_bfloat16" if _multiplies_bfloat16() else "float32")
    keras.mixed_precision.set_dtype_policy(policy)
    return policy


def fit(
    model: keras.Model,
    training: Labelled,
    validation: Labelled,
    recipe: Recipe,
    folder: Path,
    *,
    seed: int = 0,
    resume: bool = False,
    teachers: Sequence[keras.Model] = (),
    say: Callable[[str], None] = print,
) -> keras.Model:
    """Train a model by a recipe, leaving ``vgg16.keras``, ``history.jsonl`` and a checkpoint in the folder.

    Args:
        model: Where to start, from ``vgg16.build``, for any input size.
        training: What to learn from.
        validation: What to judge each epoch by; no choice of the training hangs on it.
        recipe: How to train.
        folder: Where the run's files go; it exists.
        seed: Of the order and the augmentation.
        resume: Go on from the folder's checkpoint, to the result the training would have had uninterrupted.
        teachers: Models whose answers replace the labels, if any.
        say: Takes one line an epoch.

    Returns:
        The trained model, with averaged weights.
    """
    done = checkpoint.epochs_done(folder) if resume else 0
    averaged = keras.models.clone_model(model)
    maps = bool(teachers) and recipe.teacher_map_weight > 0
    if maps:
        model, teachers = distil.with_map(model), [distil.with_map(teacher) for teacher in teachers]
    history = folder / HISTORY_FILE
    _keep_lines(history, done)
    epochs = sum(stage.epochs for stage in recipe.stages)
    if done:
        checkpoint.restore(folder, model)
    pneumonia = training.targets[:, 0] < 0.5
    told = acquisition.compare(training.pixels, pneumonia, validation.pixels)
    weights = acquisition.draw_weights(told.training, pneumonia, recipe.acquisition_cap)
    first = 0
    with ThreadPoolExecutor(_threads(), "augment") as pool:
        for stage in recipe.stages:
            last = first + stage.epochs
            if done < last:
                steps = steps_per_epoch(len(training.pixels), stage.batch)
                _compile(model, recipe, stage, steps)
                if done > first:
                    checkpoint.restore_optimizer(folder, model)
                plan = Plan(stage.size, stage.batch, recipe.mixup, recipe.label_smoothing, recipe.augmentation, seed)
                for epoch in range(max(first, done), last):
                    started = time.monotonic()
                    drawn = epoch_batches(training.pixels, training.targets, plan, epoch, pool, weights)
                    batches: Iterator[Any] = drawn
                    if maps:
                        cells = model.compute_output_shape((1, stage.size, stage.size, 1))[1][1]
                        batches = distil.answered_with_maps(drawn, teachers, recipe.teacher_temperature, cells)
                    elif teachers:
                        batches = distil.answered(drawn, teachers, recipe.teacher_temperature)
                    loss = _run_epoch(model, batches, epoch, steps)
                    _average(model, averaged, folder, keep=epoch + 1 == last)
                    result = _judge(averaged, validation, stage.size)
                    line = Epoch(epoch + 1, stage.size, loss, result, round(time.monotonic() - started, 1))
                    with history.open("ab") as file:
                        file.write(msgspec.json.encode(line) + b"\n")
                    # Last, so that a training stopped before it repeats this epoch and drops its line.
                    checkpoint.save(folder, model, epoch + 1)
                    say(_in_words(line, epochs))
            first = last
    averaged.set_weights(model.get_weights())
    averaged.save(folder / MODEL_FILE)
    return averaged


def read_history(folder: Path) -> tuple[Epoch, ...]:
    """The epochs that a training in this folder has behind it."""
    lines = (folder / HISTORY_FILE).read_bytes().splitlines()
    return tuple(msgspec.json.decode(line, type=Epoch) for line in lines)


def _in_words(line: Epoch, epochs: int) -> str:
    found = line.validation
    return (
        f"epoch {line.epoch}/{epochs}  {line.size} px  loss {line.loss:.4f}  "
        f"validation AUC {found.auc:.4f}, {found.right}/{found.images} right  {line.seconds:.0f} s"
    )


def _keep_lines(history: Path, count: int) -> None:
    """Drop what a stopped training wrote after the checkpoint it goes on from."""
    lines = history.read_text().splitlines(keepends=True) if history.exists() else []
    history.write_text("".join(lines[:count]))


def predict_logits(model: keras.Model, pixels: NDArray[np.uint8], size: int | None = None) -> NDArray[np.float32]:
    """The model's answers.

    Args:
        model: From grey pixels to logits.
        pixels: ``uint8`` of shape ``(n, rows, columns, 1)``.
        size: Pixels a side to bring them to first; as they are if ``None``.

    Returns:
        ``float32`` of shape ``(n, 3)``.
    """
    rows = []
    for start in range(0, len(pixels), _PREDICT_BATCH):
        batch = pixels[start : start + _PREDICT_BATCH]
        if size is not None and size != batch.shape[1]:
            batch = np.stack(
                [cv2.resize(image, (size, size), interpolation=cv2.INTER_LINEAR)[..., None] for image in batch]
            )
        rows.append(
            np.asarray(keras.ops.convert_to_numpy(model.predict_on_batch(batch.astype(np.float32))), np.float32)
        )
    return np.concatenate(rows) if rows else np.zeros((0, 3), np.float32)


def _compile(model: keras.Model, recipe: Recipe, stage: Stage, steps: int) -> None:
    for layer in model.layers:
        layer.trainable = stage.train == "all" or layer.name == "map"
    total = steps * stage.epochs
    warmup = max(1, min(steps, total // 10))
    optimizer = keras.optimizers.AdamW(
        keras.optimizers.schedules.CosineDecay(
            0.0, max(1, total - warmup), warmup_target=stage.learning_rate, warmup_steps=warmup
        ),
        weight_decay=recipe.weight_decay,
        global_clipnorm=1.0,
        use_ema=True,
        ema_momentum=recipe.average,
    )
    temperature = recipe.teacher_temperature or 1.0
    losses: Any = distil.cross_entropy(temperature)
    weights = None
    if len(model.outputs) > 1:
        losses = [losses, distil.map_difference(temperature)]
        weights = [1.0, recipe.teacher_map_weight]
    optimizer.exclude_from_weight_decay(var_names=["bias", "gain"])
    # XLA pays on GPUs; on a CPU TensorFlow's own kernels are faster, and PyTorch would want a compiler.
    model.compile(
        optimizer,
        losses,
        loss_weights=weights,
        jit_compile=keras.backend.backend() == "jax",
    )
    optimizer.build(model.trainable_variables)


def _run_epoch(
    model: keras.Model,
    batches: Iterator[Any],
    epoch: int,
    steps: int,
) -> float:
    columns = (
        TextColumn("epoch {task.fields[epoch]}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("loss {task.fields[loss]:.4f}"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    total, loss = 0.0, 0.0
    with Progress(*columns, transient=True) as bar:
        task = bar.add_task("", total=steps, epoch=epoch + 1, loss=0.0)
        for step, (images, targets) in enumerate(batches, start=1):
            # Of several outputs the losses come one by one, after their sum.
            total += float(np.ravel(model.train_on_batch(images, targets))[0])
            loss = total / step
            bar.update(task, advance=1, loss=loss)
    return loss


def _average(model: keras.Model, averaged: keras.Model, folder: Path, *, keep: bool) -> None:
    """Save the averaged weights; the model goes on with its running ones unless it is to keep the average."""
    running = model.get_weights()
    model.optimizer.finalize_variable_values(model.trainable_variables)
    averaged.set_weights(model.get_weights())
    if not keep:
        model.set_weights(running)
    partial = folder / f"part.{MODEL_FILE}"
    averaged.save(partial)
    partial.replace(folder / MODEL_FILE)


def _judge(model: keras.Model, validation: Labelled, size: int) -> Figures:
    probability = pneumonia_probability(predict_logits(model, validation.pixels, size))
    return figures(probability, validation.targets[:, 0] < 0.5)


def _threads() -> int:
    return max(1, min(8, len(os.sched_getaffinity(0)) // 2))


def _has_gpu() -> bool:
    if keras.backend.backend() == "torch":  # the one backend for which Keras lists no devices
        import torch

        return bool(torch.cuda.is_available())
    return any(not device.lower().startswith("cpu") for device in keras.distribution.list_devices())


def _multiplies_bfloat16() -> bool:
    if _has_gpu():
        return True
    try:
        flags = Path("/proc/cpuinfo").read_text()
    except OSError:
        return False
    return "avx512_bf16" in flags or "amx_bf16" in flags
