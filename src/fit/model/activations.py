"""The activations by name, with the range of values that each can take (no torch needed to read this table)."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Activation:
    """One activation: the torch function that computes it, and the least and largest value that it can take."""

    function: str | None
    low: float = -math.inf
    high: float = math.inf

    def load(self) -> "Callable[[Tensor], Tensor] | None":
        """Return the torch function, or None where there is nothing to compute."""
        import torch
        from torch.nn import functional

        return None if self.function is None else getattr(functional, self.function, None) or getattr(torch, self.function)


# The minima of gelu and silu are the roots of their derivatives, to the last digit of a double.
ACTIVATIONS = {
    "identity": Activation(None),
    "relu": Activation("relu", low=0.0),
    "leaky_relu": Activation("leaky_relu"),
    "elu": Activation("elu", low=-1.0),
    "silu": Activation("silu", low=-0.27846454276107379),
    "gelu": Activation("gelu", low=-0.16997120747990369),
    "tanh": Activation("tanh", low=-1.0, high=1.0),
    "sigmoid": Activation("sigmoid", low=0.0, high=1.0),
    "softplus": Activation("softplus", low=0.0),
    "sin": Activation("sin", low=-1.0, high=1.0),
}
