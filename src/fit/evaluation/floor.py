"""The lowest loss that a model of some shape could reach on some rows, whatever its weights."""

from torch import Tensor

from fit.data.dataset import Rows
from fit.evaluation.affine import least_squares
from fit.evaluation.losses import LossFunction, find_loss
from fit.model.architecture import MLP, Architecture


def floor(model: Architecture, loss: str, scaled: Rows) -> float | None:
    """Return the lowest loss on scaled rows, or None where it is not known.

    Known are the affine model under squared error (least squares) and a bounded output activation (the distance of the
    targets from its range).
    """
    function = find_loss(loss)
    if isinstance(model, MLP) and model.affine:
        widest_needed = min(scaled.inputs.shape[1] + model.bias, scaled.targets.shape[1])
        if not function.kind.squared or any(width < widest_needed for width in model.hidden):
            return None
        return total(function, least_squares(scaled, bias=model.bias)(scaled.inputs), scaled.targets)
    nearest = scaled.targets.clamp(*model.output_range)
    return total(function, nearest, scaled.targets) if not nearest.equal(scaled.targets) else None


def total(loss: LossFunction, outputs: Tensor, targets: Tensor) -> float:
    """Return the loss of outputs `[rows, targets]` over all rows."""
    weight = 1 / targets.numel() if loss.kind.mean else 1.0
    return weight * float(loss.value(outputs - targets).sum())
