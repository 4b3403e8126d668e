"""What is minimized: an error of each number, added up or averaged over a batch."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from fit.model.stack import elementwise


@dataclass(frozen=True)
class Loss:
    """A loss: the value of each number's error, outputs - targets, its derivative, and whether a batch is averaged.

    It is `robust` if a large error counts by its size and not by its square.
    """

    value: Callable[[Tensor], Tensor]
    derivative: Callable[[Tensor], Tensor]
    mean: bool = True
    robust: bool = False

    def weight(self, outputs: Tensor) -> float:
        """Return what the summed values `[members, rows, targets]` are multiplied by to give the loss."""
        return 1 / (outputs.shape[1] * outputs.shape[2]) if self.mean else 1.0


def log_cosh(error: Tensor) -> Tensor:
    """Return log(cosh(error)), which keeps the digits of small errors and does not overflow for large ones."""
    size, near = error.abs(), error.clamp(-1, 1)
    far = size + (-2 * size).exp().log1p() - math.log(2)
    return torch.where(size < 1, (2 * (near / 2).sinh().square()).log1p(), far)


# With torch's own delta of 1: quadratic up to there, linear beyond.
HUBER = Loss(
    lambda error: error.clamp(-1, 1) * (error - error.clamp(-1, 1) / 2),
    lambda error: error.clamp(-1, 1),
    robust=True,
)
LOSSES = {
    "mse": Loss(lambda error: error * error, lambda error: 2 * error),
    "mse_sum": Loss(lambda error: error * error, lambda error: 2 * error, mean=False),
    "mae": Loss(lambda error: error.abs(), lambda error: error.sign(), robust=True),
    "huber": HUBER,
    "smooth_l1": HUBER,  # with torch's own beta of 1 it is the same
    "log_cosh": Loss(
        lambda error: elementwise(log_cosh, error), lambda error: elementwise(torch.tanh, error), robust=True
    ),
}
