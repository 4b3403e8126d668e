"""The losses as torch computes them, of the catalog and of a user's own."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor

from fit.catalog.losses import LOSSES, Loss
from fit.model.functions import derivative_of, import_elementwise
from fit.model.stack import elementwise


@dataclass(frozen=True)
class LossFunction:
    """A loss: its name, each number's value and derivative by its error, output - target, and what else is known."""

    name: str
    value: Callable[[Tensor], Tensor]
    derivative: Callable[[Tensor], Tensor]
    kind: Loss

    def weight(self, outputs: Tensor) -> float:
        """Return what the summed values `[members, rows, targets]` are multiplied by to give the loss."""
        return 1 / (outputs.shape[1] * outputs.shape[2]) if self.kind.mean else 1.0


def find_loss(name: str) -> LossFunction:
    """Return the loss of a name, or the user's own function MODULE.FUNCTION of the errors, averaged.

    Raises FitError if that cannot be imported, or is not elementwise.
    """
    kind = LOSSES[name] if name in LOSSES else own_loss(name)
    value, derivative = kind.value(torch), kind.derivative(torch)
    if kind.vectorized:
        return LossFunction(
            name, lambda error: elementwise(value, error), lambda error: elementwise(derivative, error), kind
        )
    return LossFunction(name, value, derivative, kind)


@cache
def own_loss(name: str) -> Loss:
    """Return a function of the user's own, which autograd differentiates."""
    function = import_elementwise("loss", name)
    derivative = derivative_of(function)
    return Loss(lambda torch: function, lambda torch: derivative)
