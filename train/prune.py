"""Structured pruning: whole filters out of a trained VGG-16, those first that cost the least loss for the time saved.

A filter's effect on the loss is estimated by the first term of its Taylor series (Molchanov et al. 2019,
arXiv:1906.10771): with a gate of 1 behind each filter, the squared derivative of a batch's loss by the gate, averaged
over batches. The ReLU is positively homogeneous, so the gate may stand before it, and its derivative is that of kernel
and bias times kernel and bias, summed over the filter. The time saved comes from the latency models of the devices
(``train.latency``), because a filter early in the network, on many cells, saves more than a late one.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray

from edge_runtime.errors import UsageError
from train import vgg16
from train.layers import StandardizedConv2D
from train.recipe import Prune

Batch = tuple[NDArray[np.float32], NDArray[np.float32]]
Effects = tuple[NDArray[np.float64], ...]
Times = Callable[[Sequence[int]], NDArray[np.float64]]


def prune(
    model: keras.Model,
    plan: Prune,
    times: Times,
    batches: Callable[[int], Iterable[Batch]],
    loss: Callable[[Any, Any], Any],
    recover: Callable[[keras.Model, int], keras.Model] = lambda model, _: model,
    say: Callable[[str], None] = print,
) -> keras.Model:
    """Prune a model in rounds until every device's predicted time is met.

    Args:
        model: A trained ``vgg16.build``, weight-standardized or plain.
        plan: How far, and in which steps.
        times: Predicted time of the network with these thirteen numbers of filters, one entry for each of
            ``plan.keep``, as ``predictor`` makes it.
        batches: Training images and targets to estimate effects with, for the round of that number.
        loss: The training's.
        recover: Trains what a round has left; the last round's is left to the recipe's stages.
        say: Takes one line a round.

    Returns:
        A plain model, smaller, for any input size.

    Raises:
        UsageError: The times cannot be met.
    """
    model = narrow(model)
    start = times(filters(model))
    for number in range(1, plan.rounds + 1):
        goal = start * np.array(list(plan.keep.values())) ** (number / plan.rounds)
        effects = effect(model, batches(number), loss)
        widths = choose(effects, times, goal, plan.multiple)
        model = narrow(
            model, [np.sort(np.argsort(-e, kind="stable")[:w]) for e, w in zip(effects, widths, strict=True)]
        )
        say(
            f"Round {number} of {plan.rounds}: {' '.join(map(str, widths))} filters, predicted "
            + ", ".join(f"{s:.0%} on {d}" for d, s in zip(plan.keep, times(widths) / start, strict=True))
        )
        if number < plan.rounds:
            model = narrow(recover(model, number))
    return model


def predictor(devices: Sequence[str], size: int, stride: int) -> Times:
    """Predicted milliseconds on each of these devices, by the filters.

    Args:
        devices: Names of latency models.
        size: Pixels a side of the input.
        stride: Of the first convolution.
    """
    from train import latency, timing

    models = [latency.read(name) for name in devices]
    return lambda widths: np.array([latency.predict(one, timing.vgg(widths, size, stride)) for one in models])


def effect(model: keras.Model, batches: Iterable[Batch], loss: Callable[[Any, Any], Any]) -> Effects:
    """Each filter's effect on the loss, for each of the thirteen convolutions.

    Args:
        model: From ``narrow``; its weights stay as they are.
        batches: Images and targets, one at least.
        loss: From targets and logits.
    """
    recorder = _Recorder()
    model.compile(recorder, loss, jit_compile=keras.backend.backend() == "jax")
    recorder.build(model.trainable_variables)
    layers = _convolutions(model)
    found = [np.zeros(count) for count in filters(model)]
    steps = 0
    for images, targets in batches:
        model.train_on_batch(images, targets)
        steps += 1
        for total, layer in zip(found, layers, strict=True):
            by_gate = np.zeros_like(total)
            for variable in layer.trainable_variables:
                product = ops.convert_to_numpy(recorder.gradient(variable) * variable).astype(np.float64)
                by_gate += product.reshape(-1, len(total)).sum(axis=0)
            total += by_gate**2
    return tuple(total / steps for total in found)


def choose(effects: Effects, times: Times, goal: NDArray[np.float64], multiple: int) -> tuple[int, ...]:
    """How many filters to leave each convolution, so that no device takes longer than its goal.

    Of all ways to narrow one convolution to a multiple, the one is taken that costs the least effect for the share of
    the time it saves on the devices above their goal; then again, until the goals are met. The last convolution keeps
    its filters: three classes need few of them, but they are what a device's gate knows a radiograph by.

    Args:
        effects: Of each convolution's filters; the least go first.
        times: Predicted time by the filters.
        goal: Of each device.
        multiple: What the filters of a narrowed convolution are a multiple of.

    Raises:
        UsageError: The goals cannot be met.
    """
    # lost[i][n]: what taking convolution i's n least filters costs.
    lost = [np.concatenate([[0.0], np.cumsum(np.sort(one))]) for one in effects]
    widths = [len(one) for one in effects]
    now = times(widths)
    while np.any(above := now > goal):
        options = []
        for place, width in enumerate(widths[:-1]):
            for fewer in range(multiple, width, multiple):
                trial = [*widths[:place], fewer, *widths[place + 1 :]]
                saved = float(((now - times(trial)) / now)[above].sum())
                if saved > 0:
                    whole = len(effects[place])
                    cost = float(lost[place][whole - fewer] - lost[place][whole - width])
                    options.append((cost / saved, -saved, trial))
        if not options:
            raise UsageError(
                f"{' '.join(map(str, widths))} filters still take {(now / goal).max():.2f} times as long as they may, "
                f"and no narrower multiple of {multiple} is faster: keep more of the time, or lower the multiple."
            )
        widths = min(options)[2]
        now = times(widths)
    return tuple(widths)


def narrow(
    model: keras.Model, keep: Sequence[NDArray[np.int64]] | None = None, *, dropout: float = 0.0, seed: int = 0
) -> keras.Model:
    """A plain VGG-16 of these filters alone, with the kernels the given one applies.

    Plain, because a kernel that lost channels has no mean of 0 any more, so that standardization would change it.

    Args:
        model: A ``vgg16.build``.
        keep: For each of the thirteen convolutions the indices of the filters that stay; ``None`` for all.
        dropout: Of the narrow model, as in ``vgg16.build``.
        seed: For the dropout.

    Returns:
        For any input size.
    """
    layers = _convolutions(model)
    keep = [np.arange(count) for count in filters(model)] if keep is None else keep
    widths = [len(kept) for kept in keep]
    small = vgg16.build(
        None, filters=widths, stride=stride(model), standardize=False, dropout=dropout, seed=seed
    )  # fmt: skip
    channels: Any = slice(None)
    for layer, kept in zip(layers, keep, strict=True):
        kernel = (
            layer.effective_kernel()
            if isinstance(layer, StandardizedConv2D)
            else ops.convert_to_numpy(layer.kernel).astype(np.float32)
        )
        bias = ops.convert_to_numpy(layer.bias)
        small.get_layer(layer.name).set_weights([kernel[:, :, channels, :][..., kept], bias[kept]])
        channels = kept
    kernel, bias = model.get_layer("map").get_weights()
    small.get_layer("map").set_weights([np.asarray(kernel)[:, :, channels], bias])
    return small


def filters(model: keras.Model) -> tuple[int, ...]:
    """How many filters each of the thirteen convolutions has."""
    return tuple(int(layer.filters) for layer in _convolutions(model))


def stride(model: keras.Model) -> int:
    """Of the first convolution."""
    strides = _convolutions(model)[0].strides
    return int(strides if isinstance(strides, int) else strides[0])


def _convolutions(model: keras.Model) -> list[Any]:
    return [layer for layer in model.layers if layer.name.startswith("block") and layer.weights]


class _Recorder(keras.optimizers.Optimizer):
    """Takes down the gradients of a step and leaves the weights alone; so works on every backend."""

    def __init__(self) -> None:
        super().__init__(learning_rate=0.0, name="recorder")

    def build(self, variables: list[Any]) -> None:
        if not self.built:
            super().build(variables)
            self._taken = [self.add_variable_from_reference(variable, name="gradient") for variable in variables]

    def gradient(self, variable: Any) -> Any:
        return self._taken[self._get_variable_index(variable)]

    def update_step(self, gradient: Any, variable: Any, _learning_rate: Any) -> None:
        taken = self.gradient(variable)
        self.assign(taken, ops.cast(gradient, taken.dtype))
