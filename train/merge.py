"""Several narrow VGG-16s into one wide one that answers with the mean of their logits, exactly.

Each convolution of the wide model holds the members' kernels as blocks on the diagonal of its channel matrix: the first
layer stands side by side, later layers look at their own member's channels alone, and the head takes the members' mean.
Narrow networks train in a fraction of the time; the wide one starts as their ensemble and can be fine-tuned as one
network, when the blocks off the diagonal fill in. The function-preserving start follows Net2Net (Chen et al. 2016,
arXiv:1511.05641).
"""

from collections.abc import Sequence

import keras
import numpy as np
from keras import layers
from numpy.typing import NDArray

from edge_runtime.errors import UsageError
from train.layers import StandardizedConv2D


def merge(members: Sequence[keras.Model], wide: keras.Model) -> None:
    """Set the wide model's weights so that its logits are the mean of the members'.

    Args:
        members: Narrow models from ``vgg16.build``, weight-standardized.
        wide: A weight-standardized model whose every convolution has as many filters as the members' together.

    Raises:
        UsageError: The channels do not add up.
    """
    for layer in wide.layers:
        parts = [member.get_layer(layer.name) for member in members] if layer.weights else []
        if isinstance(layer, StandardizedConv2D):
            if layer.filters != sum(part.filters for part in parts):
                raise UsageError(
                    f"The models do not merge: {layer.name} has {layer.filters} filters, theirs have "
                    f"{' + '.join(str(part.filters) for part in parts)}; "
                    "give models whose widths add up to the recipe's."
                )
            first = layer.kernel.shape[2] == parts[0].kernel.shape[2]
            kernels = [part.effective_kernel() for part in parts]
            kernel = np.concatenate(kernels, axis=3) if first else _on_diagonal(kernels)
            layer.set_effective_kernel(kernel)
            layer.bias.assign(np.concatenate([keras.ops.convert_to_numpy(part.bias) for part in parts]))
        elif isinstance(layer, layers.Conv2D):
            kernel = np.concatenate([np.asarray(part.get_weights()[0]) for part in parts], axis=2) / len(parts)
            bias = np.mean([np.asarray(part.get_weights()[1]) for part in parts], axis=0)
            layer.set_weights([kernel, bias])


def mean(members: Sequence[keras.Model]) -> keras.Model:
    """The members side by side, their logits averaged: what ``merge`` makes, without the zeros off the diagonal.

    It answers as the merged model does, up to rounding, for a fraction of the multiplications: four members of a
    quarter's width take a quarter of them.
    """
    radiograph = keras.Input((None, None, 1))
    # Applied under names of their own: the members come from one function and share theirs.
    answers = [
        keras.Sequential([radiograph, member], name=f"member-{i}")(radiograph) for i, member in enumerate(members)
    ]
    return keras.Model(radiograph, layers.average(answers) if len(answers) > 1 else answers[0])


def _on_diagonal(kernels: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
    rows, columns = sum(kernel.shape[2] for kernel in kernels), sum(kernel.shape[3] for kernel in kernels)
    whole = np.zeros((3, 3, rows, columns), np.float32)
    row = column = 0
    for kernel in kernels:
        whole[:, :, row : row + kernel.shape[2], column : column + kernel.shape[3]] = kernel
        row, column = row + kernel.shape[2], column + kernel.shape[3]
    return whole
