"""The losses: all that there is to know of each, in one entry; torch is handed in where one is computed.

A new loss is one entry here. Tests try it against autograd and in every stack.
"""

import math
from dataclasses import dataclass
from typing import Any

from fit.catalog.activations import Kernel, Maker, Torch


@dataclass(frozen=True)
class Loss:
    """A function of a number's error, output - target in scaled units, and its derivative, summed or averaged.

    `squared`: its minimum over affine functions is that of least squares. `robust`: a large error counts by its size
    and not by its square. `vectorized`: a CPU computes whole vectors of it by one formula and the rest by another.
    """

    value: Maker
    derivative: Maker
    mean: bool = True
    squared: bool = False
    robust: bool = False
    vectorized: bool = False


def log_cosh(torch: Torch) -> Kernel:
    """Return log(cosh(error)), which keeps the digits of small errors and does not overflow for large ones."""

    def value(error: Any) -> Any:  # noqa: ANN401
        size, near = error.abs(), error.clamp(-1, 1)
        far = size + (-2 * size).exp().log1p() - math.log(2)
        return torch.where(size < 1, (2 * (near / 2).sinh().square()).log1p(), far)

    return value


# With torch's own delta of 1: quadratic up to there, linear beyond.
HUBER = Loss(
    lambda torch: lambda error: error.clamp(-1, 1) * (error - error.clamp(-1, 1) / 2),
    lambda torch: lambda error: error.clamp(-1, 1),
    robust=True,
)
LOSSES = {
    "mse": Loss(lambda torch: lambda error: error * error, lambda torch: lambda error: 2 * error, squared=True),
    "mse_sum": Loss(
        lambda torch: lambda error: error * error, lambda torch: lambda error: 2 * error, mean=False, squared=True
    ),
    "mae": Loss(lambda torch: lambda error: error.abs(), lambda torch: lambda error: error.sign(), robust=True),
    "huber": HUBER,
    "smooth_l1": HUBER,  # with torch's own beta of 1 it is the same
    "log_cosh": Loss(log_cosh, lambda torch: torch.tanh, robust=True, vectorized=True),
}
