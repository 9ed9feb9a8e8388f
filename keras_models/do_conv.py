"""DO-Conv: depthwise over-parameterized convolution, trained with two kernels W and D, folded into one stock kernel.

`kernel[o, i, m] = sum_s (D + D_diag)[i, m, s] * W[o, i, s]`, m over the M * N taps row by row, s over `d_mul` >= M * N.
D_diag is the identity repeated along s, so that with D = 0, as training begins, the layer is a plain convolution by W.
The fold is done in float32 in every call, which costs next to nothing beside the convolution itself.

Source: Cao et al., "DO-Conv: Depthwise Over-parameterized Convolutional Layer", IEEE TIP 2022.
"""

from typing import Any

import keras
import numpy as np
from keras import ops
from keras.saving import register_keras_serializable

from keras_models.system.errors import ModelError


class _OverParameterized(keras.layers.Layer):
    """What both layers share: W (filters, in, d_mul), D (in, M * N, d_mul) and the bias, all in PyTorch's order."""

    FOLD: str
    """How D (i, m, s) and W (o, i, s) make the kernel, as an einsum."""
    AXES: tuple[int, ...]
    """The order of the folded kernel's axes (filters, in, M, N) in the stock Keras layer."""

    def __init__(
        self,
        kernel_size: int | tuple[int, int],
        strides: int = 1,
        padding: str = "same",
        d_mul: int | None = None,
        use_bias: bool = True,
        name: str | None = None,
        dtype: object = None,
    ) -> None:
        super().__init__(name=name, dtype=dtype)
        self.kernel_size = (kernel_size, kernel_size) if isinstance(kernel_size, int) else tuple(kernel_size)
        self.taps = self.kernel_size[0] * self.kernel_size[1]
        self.strides, self.padding, self.use_bias = strides, padding, use_bias
        self.d_mul = self.taps if d_mul is None else d_mul
        if self.d_mul < self.taps:
            raise ModelError(
                f"{self.name}: d_mul {self.d_mul} is below the kernel's area {self.taps}: D_diag would be empty; give at least {self.taps}"
            )
        if self.taps == 1 and self.d_mul != 1:
            raise ModelError(f"{self.name}: d_mul {self.d_mul} for a 1x1 kernel, which has no D: leave it out")

    def _add_weights(self, in_channels: int, fan_channels: int, filters: int) -> None:
        limit = (fan_channels * self.d_mul) ** -0.5  # PyTorch's Kaiming-uniform with a = sqrt(5), over the three axes of W
        start = keras.initializers.RandomUniform(-limit, limit)
        # autocast off: folding in half precision would round the kernel twice
        self.W = self.add_weight(name="W", shape=(filters, fan_channels, self.d_mul), initializer=start, autocast=False)
        self.D = self.bias = None
        if self.taps > 1:
            self.D = self.add_weight(name="D", shape=(in_channels, self.taps, self.d_mul), initializer="zeros", autocast=False)
            self._diagonal = _diagonal(in_channels, self.taps, self.d_mul)
        if self.use_bias:
            self.bias = self.add_weight(name="bias", shape=(filters,), initializer=start)

    def constants(self) -> dict[str, np.ndarray]:
        """Arrays that the authors' PyTorch layer stores beside its weights although they never change."""
        return {} if self.D is None else {"d_diag": self._diagonal}

    def kernel(self) -> object:
        """The folded kernel in the stock layer's layout, float32, as a tensor through which gradients flow."""
        flat = self.W if self.D is None else ops.einsum(self.FOLD, ops.add(self.D, self._diagonal), self.W)
        return ops.transpose(ops.reshape(flat, (*self.W.shape[:2], *self.kernel_size)), self.AXES)

    def call(self, x: keras.KerasTensor) -> keras.KerasTensor:
        y = self._convolve(x, ops.cast(self.kernel(), self.compute_dtype))
        return y if self.bias is None else ops.add(y, self.bias)

    def fold(self) -> list[np.ndarray]:
        """Weights of the equal stock layer, [kernel, bias] or [kernel], summed in float64."""
        w, *rest = (np.asarray(weight, np.float64) for weight in self.get_weights())
        if self.D is not None:
            w = np.einsum(self.FOLD, rest.pop(0) + self._diagonal, w)
        return [w.reshape(*w.shape[:2], *self.kernel_size).transpose(self.AXES), *rest]

    def _spatial(self, input_shape: tuple) -> tuple:
        same = self.padding == "same"
        sides = zip(input_shape[1:3], self.kernel_size, strict=True)
        return tuple(None if n is None else -(-(n if same else n - k + 1) // self.strides) for n, k in sides)

    def get_config(self) -> dict:
        """The constructor's arguments."""
        keys = ("kernel_size", "strides", "padding", "d_mul", "use_bias", "name")
        return {**{key: getattr(self, key) for key in keys}, "dtype": keras.dtype_policies.serialize(self.dtype_policy)}


@register_keras_serializable("mobile_sr")
class DOConv2D(_OverParameterized):
    """Over-parameterized dense convolution, (N, H, W, C) to (N, H', W', filters); folds to a Conv2D (M, N, C, filters).

    Args:
        filters: output channels.
        kernel_size: (M, N), or one number for both. 1x1 has no D: W is the kernel.
        options: strides: of both axes. padding: "same" (as Keras pads, zeros) or "valid". d_mul: length of the inner sum,
            M * N if None. use_bias: False for none. name. dtype: Keras dtype policy; folding stays float32.

    Raises:
        ModelError: `d_mul` below M * N.
    """

    FOLD, AXES = "ims,ois->oim", (2, 3, 1, 0)

    def __init__(self, filters: int, kernel_size: int | tuple[int, int], **options: Any) -> None:
        super().__init__(kernel_size, **options)
        self.filters = filters

    def build(self, input_shape: tuple) -> None:
        """Creates W (filters, C, d_mul), D (C, M * N, d_mul) and the bias (filters,)."""
        self._add_weights(input_shape[-1], input_shape[-1], self.filters)

    def _convolve(self, x: object, kernel: object) -> object:
        return ops.conv(x, kernel, self.strides, self.padding, data_format="channels_last")

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        """(N, H', W', filters)."""
        return (input_shape[0], *self._spatial(input_shape), self.filters)

    def get_config(self) -> dict:
        """The constructor's arguments."""
        return {"filters": self.filters, **super().get_config()}


@register_keras_serializable("mobile_sr")
class DODepthwiseConv2D(_OverParameterized):
    """Over-parameterized depthwise convolution, (N, H, W, C) to (N, H', W', C); folds to a DepthwiseConv2D (M, N, C, 1).

    Arguments and errors as in `DOConv2D`, without `filters`: one kernel a channel.
    """

    FOLD, AXES = "ims,ios->iom", (2, 3, 0, 1)

    def build(self, input_shape: tuple) -> None:
        """Creates W (C, 1, d_mul), D (C, M * N, d_mul) and the bias (C,)."""
        self._add_weights(input_shape[-1], 1, input_shape[-1])

    def _convolve(self, x: object, kernel: object) -> object:
        return ops.depthwise_conv(x, kernel, self.strides, self.padding, data_format="channels_last")

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        """(N, H', W', C)."""
        return (input_shape[0], *self._spatial(input_shape), input_shape[-1])


def _diagonal(in_channels: int, taps: int, d_mul: int) -> np.ndarray:
    """(in, taps, d_mul) float32: the identity repeated along the last axis, what is left over stays zero."""
    repeated = np.tile(np.eye(taps, dtype=np.float32), d_mul // taps)
    return np.broadcast_to(np.pad(repeated, ((0, 0), (0, d_mul % taps))), (in_channels, taps, d_mul)).copy()
