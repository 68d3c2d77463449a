"""A recipe's pruning: from its trained member to the smaller network that its stages go on with."""

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path

import keras
import msgspec

from train import distil, fit, prune, vgg16
from train.batches import Plan, epoch_batches
from train.fit import Labelled
from train.recipe import Recipe

_START = "start.keras"


def shrink(
    member: keras.Model,
    recipe: Recipe,
    training: Labelled,
    validation: Labelled,
    folder: Path,
    *,
    seed: int = 0,
    resume: bool = False,
    teachers: Sequence[keras.Model] = (),
    say: Callable[[str], None] = print,
) -> keras.Model:
    """Prune a trained model as the recipe says; the effects are those on the loss that its stages train with.

    Each round leaves a folder ``pruned-1``, ``pruned-2``, ... in the run's, with the network as it was pruned and,
    where the recipe trains between rounds, what that left.

    Args:
        member: The trained model.
        recipe: With a ``prune``.
        training: What to estimate the effects with and to train on.
        validation: What ``fit`` judges by.
        folder: The run's.
        seed: Of the images drawn, and of the dropout.
        resume: Go on from what the rounds before have left.
        teachers: As ``fit`` takes them.
        say: Takes one line a round, and one an epoch.

    Returns:
        Where the stages start.
    """
    wanted = recipe.prune
    assert wanted is not None
    plan = Plan(wanted.size, wanted.batch, recipe.mixup, recipe.label_smoothing, recipe.augmentation, seed)

    def batches(number: int) -> Iterable[prune.Batch]:
        with ThreadPoolExecutor(2, "augment") as pool:
            drawn = epoch_batches(training.pixels, training.targets, plan, number, pool)
            drawn = distil.answered(drawn, teachers, recipe.teacher_temperature) if teachers else drawn
            yield from islice(drawn, wanted.batches)

    def recover(model: keras.Model, number: int) -> keras.Model:
        place = folder / f"pruned-{number}"
        model = start(model, place)
        if not wanted.stages:
            return model
        again = msgspec.structs.replace(recipe, stages=wanted.stages)
        return fit.fit(
            model, training, validation, again, place, seed=seed, resume=resume, teachers=teachers, say=say
        )  # fmt: skip

    def start(model: keras.Model, place: Path) -> keras.Model:
        # A resumed run must not choose other filters than those its checkpoint has.
        if not (resume and (place / _START).exists()):
            place.mkdir(exist_ok=True)
            part = place / f"part.{_START}"
            prune.narrow(model, dropout=recipe.dropout, seed=seed).save(part)
            part.replace(place / _START)
        return vgg16.load(place / _START, keras.config.dtype_policy().name)

    last = folder / f"pruned-{wanted.rounds}"
    if resume and (last / _START).exists():
        return start(member, last)
    times = prune.predictor(list(wanted.keep), wanted.size, prune.stride(member))
    loss = distil.cross_entropy(recipe.teacher_temperature or 1.0)
    return start(prune.prune(member, wanted, times, batches, loss, recover, say), last)
