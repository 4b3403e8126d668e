"""What is minimized: an error of each number, added up or averaged over a batch."""

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Loss:
    """A loss: the value of each number's error, outputs - targets, its derivative, and whether a batch is averaged."""

    value: Callable[[Tensor], Tensor]
    derivative: Callable[[Tensor], Tensor]
    mean: bool = True

    def weight(self, outputs: Tensor) -> float:
        """Return what the summed values `[members, rows, targets]` are multiplied by to give the loss."""
        return 1 / (outputs.shape[1] * outputs.shape[2]) if self.mean else 1.0


LOSSES = {
    "mse": Loss(lambda error: error * error, lambda error: 2 * error),
    "mse_sum": Loss(lambda error: error * error, lambda error: 2 * error, mean=False),
    "mae": Loss(lambda error: error.abs(), lambda error: error.sign()),
    # With torch's own delta of 1: quadratic up to there, linear beyond.
    "huber": Loss(
        lambda error: error.clamp(-1, 1) * (error - error.clamp(-1, 1) / 2),
        lambda error: error.clamp(-1, 1),
    ),
}
