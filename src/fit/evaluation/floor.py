"""The lowest loss that a model of some shape could reach on some rows, whatever its weights."""

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from fit.data.dataset import Rows
from fit.evaluation.affine import least_squares
from fit.evaluation.losses import LOSSES
from fit.model.activations import ACTIVATIONS


@dataclass(frozen=True)
class Shape:
    """What of a model decides its floor."""

    hidden: Sequence[int]
    activation: str
    output_activation: str
    bias: bool

    @property
    def affine(self) -> bool:
        """Whether the model is an affine function of its inputs, whatever its weights."""
        return self.output_activation == "identity" and (not self.hidden or self.activation == "identity")


def floor(shape: Shape, loss: str, scaled: Rows) -> float | None:
    """Return the lowest loss on scaled rows, or None where it is not known.

    Known are the affine model under squared error (least squares) and a bounded output activation (the distance of the
    targets from its range).
    """
    if shape.affine:
        widest_needed = min(scaled.inputs.shape[1] + shape.bias, scaled.targets.shape[1])
        if not loss.startswith("mse") or any(width < widest_needed for width in shape.hidden):
            return None
        return total(loss, least_squares(scaled, bias=shape.bias)(scaled.inputs), scaled.targets)
    reach = ACTIVATIONS[shape.output_activation]
    nearest = scaled.targets.clamp(reach.low, reach.high)
    return total(loss, nearest, scaled.targets) if not nearest.equal(scaled.targets) else None


def total(loss: str, outputs: Tensor, targets: Tensor) -> float:
    """Return the loss of outputs `[rows, targets]` over all rows."""
    kind = LOSSES[loss]
    weight = 1 / targets.numel() if kind.mean else 1.0
    return weight * float(kind.value(outputs - targets).sum())
