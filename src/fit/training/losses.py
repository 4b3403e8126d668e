"""What is minimized: an error of each number, added up or averaged over a batch."""

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor
from torch.nn import functional as F


@dataclass(frozen=True)
class Loss:
    """A loss: the torch function that gives each number's error, and whether a batch's loss is their mean or their sum."""

    elements: Callable[..., Tensor]
    mean: bool = True

    def total(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Sum of the errors `[members]` of outputs `[members, rows, targets]` against targets of the same shape."""
        return self.elements(outputs, targets.expand_as(outputs), reduction="none").sum((1, 2))

    def weight(self, outputs: Tensor) -> float:
        """What the sum of the errors is multiplied by to give the loss."""
        return 1 / (outputs.shape[1] * outputs.shape[2]) if self.mean else 1.0


LOSSES = {
    "mse": Loss(F.mse_loss),
    "mse_sum": Loss(F.mse_loss, mean=False),
    "mae": Loss(F.l1_loss),
    "huber": Loss(F.huber_loss),
}
