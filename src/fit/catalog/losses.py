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
    `kernel` is C: it sets `value` and `slope`, the derivative, from the vector e of errors.
    """

    value: Maker
    derivative: Maker
    kernel: str | None = None
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
    """
        vec near = most(least(e, all(1)), all(-1));
        value = near * (e - c(0.5) * near);
        slope = near;
    """,
    robust=True,
)
SQUARE = "value = e * e; slope = 2 * e;"
LOSSES = {
    "mse": Loss(lambda torch: lambda error: error * error, lambda torch: lambda error: 2 * error, SQUARE, squared=True),
    "mse_sum": Loss(
        lambda torch: lambda error: error * error,
        lambda torch: lambda error: 2 * error,
        SQUARE,
        mean=False,
        squared=True,
    ),
    "mae": Loss(
        lambda torch: lambda error: error.abs(),
        lambda torch: lambda error: error.sign(),
        "value = absolute(e); slope = sign_(e);",
        robust=True,
    ),
    "huber": HUBER,
    "smooth_l1": HUBER,  # with torch's own beta of 1 it is the same
    "log_cosh": Loss(
        log_cosh,
        lambda torch: torch.tanh,
        """
            vec size = absolute(e), less = expm1_(-size), near = log1p_(less * less / (2 * (least(less, all(0)) + 1)));
            value = choose(size < 1, near, size + log1p_(exp_(-2 * size)) - c(0.69314718055994531));
            slope = tanh_(e);
        """,
        robust=True,
        vectorized=True,
    ),
}
