"""A chain of linear layers as the one affine function that it is."""

import torch
from torch import Tensor

from fit.data.scalers import Scaler
from fit.evaluation.affine import Affine
from fit.model.architecture import Networks
from fit.model.stack import Stack


def collapse(stack: Networks, member: int, inputs: Scaler, targets: Scaler) -> Affine | None:
    """Return what a member without activations computes, from raw inputs to targets in own units; None of others."""
    if not isinstance(stack, Stack) or any(stack.functions):
        return None
    layers = stack.layers(stack.theta.data)
    slopes = torch.eye(layers[0].weight.shape[1], dtype=torch.float64)
    offset = torch.zeros(len(slopes), dtype=torch.float64)
    for weight, bias in layers:
        slopes, offset = slopes @ cpu(weight[member]), offset @ cpu(weight[member])
        if bias is not None:
            offset = offset + cpu(bias[member, 0])
    slopes = inputs.factor[:, None] * slopes
    return Affine(slopes / targets.factor, (offset - inputs.center @ slopes) / targets.factor + targets.center)


def cpu(values: Tensor) -> Tensor:
    """Bring values to the CPU in double precision."""
    return values.detach().cpu().double()
