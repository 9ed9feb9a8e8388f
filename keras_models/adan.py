"""Adan, adaptive Nesterov momentum, as a Keras 3 optimizer that follows the reference implementation to the letter.

Source: Xie et al., "Adan: Adaptive Nesterov Momentum Algorithm for Faster Optimizing Deep Models", arXiv 2208.06677,
algorithm 1, and the rule of sail-sg/Adan: its betas are the *kept* shares, the paper's are 1 minus them. With g the
(clipped) gradient and d = g - g_previous (zero at the first step):

    m = b1 m + (1 - b1) g      v = b2 v + (1 - b2) d      n = b3 n + (1 - b3) (g + b2 d)^2
    step = lr (m / c1 + b2 v / c2) / (sqrt(n) / sqrt(c3) + eps),   c = 1 - b^t
    p = (p - step) / (1 + lr decay)      or, with no_prox:      p = p (1 - lr decay) - step
"""

import math
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops
from keras.saving import register_keras_serializable

_KERAS_OWN = ("weight_decay", "clipnorm", "clipvalue", "global_clipnorm")
"""Base class settings that Adan replaces by its own rule; they never reach the base class."""


@register_keras_serializable("mobile_sr")
class Adan(keras.optimizers.Optimizer):
    """Adan with proximal or plain decoupled weight decay and clipping by the global norm.

    Args:
        learning_rate: float, schedule or callable. The paper on LKDN uses 5e-3.
        betas: the kept shares of m, v and n, each in [0, 1).
        epsilon: added to the denominator.
        weight_decay: decoupled decay; 0 turns it off. Keras' own decay is never applied.
        max_grad_norm: gradients are scaled by min(1, max_grad_norm / (global norm + epsilon)); 0 turns it off.
        no_prox: decay as in AdamW instead of the proximal division.
        **kwargs: `name`, `use_ema`, `ema_momentum`, `ema_overwrite_frequency`, `loss_scale_factor`,
            `gradient_accumulation_steps`, as for every Keras optimizer.

    Raises:
        ValueError: a value outside its range, or one of Keras' own clipping arguments.

    Example:
        >>> import keras_models
        >>> keras_models.Adan(5e-3).get_config()["name"]
        'adan'
    """

    def __init__(
        self,
        learning_rate: Any = 5e-3,
        betas: Sequence[float] = (0.98, 0.92, 0.99),
        epsilon: float = 1e-8,
        weight_decay: float = 0.0,
        max_grad_norm: float = 0.0,
        no_prox: bool = False,
        name: str = "adan",
        **kwargs: Any,
    ) -> None:
        foreign = [key for key in _KERAS_OWN if kwargs.get(key) is not None]
        if foreign:
            raise ValueError(f"Adan: {', '.join(foreign)}: clip with max_grad_norm instead")
        if len(betas) != 3 or not all(0 <= b < 1 for b in betas):
            raise ValueError(f"Adan: betas {tuple(betas)}: give three numbers in [0, 1)")
        if min(epsilon, weight_decay, max_grad_norm) < 0:
            raise ValueError(f"Adan: epsilon {epsilon}, weight_decay {weight_decay}, max_grad_norm {max_grad_norm}: none may be negative")
        super().__init__(learning_rate=learning_rate, name=name, **kwargs)
        self.betas, self.epsilon = tuple(float(b) for b in betas), epsilon
        self.decay, self.max_grad_norm, self.no_prox = weight_decay, max_grad_norm, no_prox

    def build(self, variables: list) -> None:
        """Creates, per variable, m, v, n and the previous gradient, and the counter of steps since the last restart."""
        if self.built:
            return
        super().build(variables)
        names = ["exp_avg", "exp_avg_diff", "exp_avg_sq", "previous_gradient"]
        self._m, self._v, self._n, self._previous = self.add_optimizer_variables(variables, names)
        self._steps = self.add_variable((), dtype="int32", aggregation="only_first_replica", name="steps_since_restart")

    def restart(self) -> None:
        """Forgets the moments and the previous gradient: the next step is a first step (paper, algorithm 1, line 8).

        Call it between steps; the learning-rate schedule, the weights and their average go on as they were.
        """
        for slots in (self._m, self._v, self._n):
            for slot in slots:
                if slot is not None:
                    slot.assign(np.zeros(slot.shape, slot.dtype))
        self._steps.assign(0)

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """One variable's update; `_steps` already counts this step."""
        slot = self._get_variable_index(variable)
        states = [variable, *(slots[slot] for slots in (self._m, self._v, self._n, self._previous))]
        values = self._updated(ops.cast(gradient, variable.dtype), learning_rate, *states)
        for state, value in zip(states, values, strict=True):
            self.assign(state, value)

    def _updated(self, g: Any, learning_rate: Any, p: Any, m: Any, v: Any, n: Any, previous: Any) -> tuple[Any, Any, Any, Any, Any]:
        """p, m, v, n and previous after the step; all are of one shape and dtype, and each element is for itself."""
        lr, steps = ops.cast(learning_rate, g.dtype), ops.cast(self._steps, g.dtype)
        b1, b2, b3 = self.betas
        c1, c2, c3 = (_bias_correction(b, steps) for b in self.betas)
        d = ops.where(ops.equal(self._steps, 1), ops.zeros_like(g), g - previous)
        m = b1 * m + (1 - b1) * g
        v = b2 * v + (1 - b2) * d
        n = b3 * n + (1 - b3) * ops.square(g + b2 * d)
        denominator = ops.sqrt(n) / ops.sqrt(c3) + self.epsilon
        step = (lr / c1) * m / denominator + (lr * b2 / c2) * v / denominator
        p = p * (1 - lr * self.decay) - step if self.no_prox else (p - step) / (1 + lr * self.decay)
        return p, m, v, n, g

    def get_config(self) -> dict:
        """The constructor's arguments."""
        config = {key: value for key, value in super().get_config().items() if key not in _KERAS_OWN}
        own = {"betas": list(self.betas), "epsilon": self.epsilon, "weight_decay": self.decay}
        return {**config, **own, "max_grad_norm": self.max_grad_norm, "no_prox": self.no_prox}

    def _clip_gradients(self, grads: list) -> list:
        """Keras calls this once per update, on unscaled and accumulated gradients: clips them the reference way."""
        if not self.max_grad_norm:
            return grads
        squares = [ops.sum(ops.square(ops.cast(g, "float32"))) for g in grads if g is not None]
        factor = ops.minimum(1.0, self.max_grad_norm / (ops.sqrt(sum(squares)) + self.epsilon))
        return [g if g is None else g * ops.cast(factor, g.dtype) for g in grads]

    def _backend_update_step(self, grads: list, trainable_variables: list, learning_rate: Any) -> None:
        """All variables as one vector: the rule is one of elements, and a network has hundreds of small variables."""
        self._steps.assign_add(1)
        if _on_several_devices():
            super()._backend_update_step(grads, trainable_variables, learning_rate)
            return
        for dtype in dict.fromkeys(variable.dtype for variable in trainable_variables):
            chosen = [pair for pair in zip(grads, trainable_variables, strict=True) if pair[1].dtype == dtype]
            self._update_as_one([gradient for gradient, _ in chosen], [variable for _, variable in chosen], learning_rate)

    def _update_as_one(self, grads: Sequence[Any], variables: Sequence[Any], learning_rate: Any) -> None:
        """`update_step` of variables of one dtype."""
        slots = [self._get_variable_index(variable) for variable in variables]
        states = [variables, *([of[slot] for slot in slots] for of in (self._m, self._v, self._n, self._previous))]
        values = self._updated(ops.cast(_joined(grads), variables[0].dtype), learning_rate, *map(_joined, states))
        ends = np.cumsum([math.prod(variable.shape) for variable in variables])[:-1].tolist()
        for group, value in zip(states, values, strict=True):
            parts = ops.split(value, ends) if ends else [value]
            for state, part in zip(group, parts, strict=True):
                self.assign(state, part if len(state.shape) == 1 else ops.reshape(part, state.shape))


def _joined(tensors: Sequence[Any]) -> Any:
    return ops.concatenate([tensor if len(tensor.shape) == 1 else ops.reshape(tensor, (-1,)) for tensor in tensors])


def _on_several_devices() -> bool:
    """TensorFlow's strategies update each variable where its copies are."""
    if keras.backend.backend() != "tensorflow":
        return False
    import tensorflow as tf

    return tf.distribute.has_strategy()


def _bias_correction(beta: float, steps: Any) -> Any:
    """1 - beta^steps by expm1: the plain form loses five digits in float32 at the first steps of beta = 0.99."""
    return -ops.expm1(steps * math.log(beta)) if beta else ops.ones_like(steps)
