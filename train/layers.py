"""The one layer that Keras lacks: a convolution whose kernel is standardized on the fly."""

from typing import Any

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray

_EPSILON = 1e-4


@keras.saving.register_keras_serializable(package="edge_pneumo")
class StandardizedConv2D(keras.layers.Layer):
    """A 3x3 convolution with weight standardization, a gain per filter, a bias, and ReLU.

    Each filter is used with mean 0 and, times its gain, variance ``1 / fan_in`` (Qiao et al. 2019, arXiv:1903.10520;
    the gain as in Brock et al. 2021, arXiv:2101.08692). It trains a deep plain network as batch normalization does, at
    half the cost on a CPU and without statistics of the batch; at export it folds into an ordinary kernel.

    It is a layer of its own, not a subclass of ``Conv2D``: that one saves its kernel and bias alone and would lose
    the gain.
    """

    def __init__(self, filters: int, strides: int = 1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.filters = filters
        self.strides = strides

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        channels = input_shape[-1]
        assert channels is not None
        self.kernel = self.add_weight(name="kernel", shape=(3, 3, channels, self.filters), initializer="he_normal")
        # sqrt(2 / (1 - 1/pi)) keeps the variance of the activations behind a ReLU at one (Brock et al. 2021, eq. 4).
        self.gain = self.add_weight(
            name="gain", shape=(self.filters,), initializer=keras.initializers.Constant(1.7139588594436646)
        )
        self.bias = self.add_weight(name="bias", shape=(self.filters,), initializer="zeros")

    def call(self, inputs: Any) -> Any:
        kernel = ops.cast(self.kernel, "float32")
        mean = ops.mean(kernel, axis=(0, 1, 2), keepdims=True)
        variance = ops.var(kernel, axis=(0, 1, 2), keepdims=True)
        fan_in = float(np.prod(self.kernel.shape[:3]))
        kernel = (kernel - mean) * ops.rsqrt(variance * fan_in + _EPSILON) * ops.cast(self.gain, "float32")
        outputs = ops.conv(inputs, ops.cast(kernel, inputs.dtype), strides=self.strides, padding="same")
        return ops.relu(outputs + ops.cast(self.bias, inputs.dtype))

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        rows, columns = (side and -(-side // self.strides) for side in input_shape[1:3])
        return (input_shape[0], rows, columns, self.filters)

    def effective_kernel(self) -> NDArray[np.float32]:
        """The ordinary kernel this layer applies: ``float32`` of shape ``(3, 3, channels, filters)``."""
        kernel = keras.ops.convert_to_numpy(self.kernel).astype(np.float64)
        gain = keras.ops.convert_to_numpy(self.gain).astype(np.float64)
        centred = kernel - kernel.mean(axis=(0, 1, 2), keepdims=True)
        fan_in = np.prod(kernel.shape[:3])
        scale = gain / np.sqrt(kernel.var(axis=(0, 1, 2)) * fan_in + _EPSILON)
        return (centred * scale).astype(np.float32)

    def set_effective_kernel(self, kernel: NDArray[np.float32]) -> None:
        """Take the standardized kernel and the gain from an ordinary kernel whose filters have mean 0.

        Args:
            kernel: ``float32`` of shape ``(3, 3, channels, filters)``, as from ``effective_kernel``.
        """
        fan_in = np.prod(kernel.shape[:3])
        self.kernel.assign(kernel)
        self.gain.assign(np.sqrt(kernel.astype(np.float64).var(axis=(0, 1, 2)) * fan_in + _EPSILON))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "filters": self.filters, "strides": self.strides}
