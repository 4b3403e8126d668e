"""The hidden units of a network: how many are dead or saturated, and what gradient reaches them."""

from typing import NamedTuple

import torch

from fit.data.dataset import Rows
from fit.evaluation.losses import LossFunction
from fit.model.functions import find_activation, find_function
from fit.model.stack import Stack

# A unit is active on a row if its slope there is at least this, compared with about 1 at most.
LEAST_SLOPE = 0.02
# The fraction of rows on which a unit has to be active, in general and for bounded activations.
LEAST_PART, LEAST_PART_BOUNDED = 0.02, 0.15


class LayerStatistics(NamedTuple):
    """A layer: the fractions of its units that are dead and saturated, and the RMS of its weights' gradient."""

    dead: float
    saturated: float
    gradient: float


def measure_layers(stack: Stack, rows: Rows, loss: LossFunction, activation: str) -> list[LayerStatistics]:
    """Measure each hidden layer of a network on scaled rows, and last the output layer.

    A unit whose slope is about zero on almost all rows is saturated if its activation is bounded on both sides, else
    dead.
    """
    inputs, targets = (each.unsqueeze(0) for each in rows)
    bounded = find_activation(activation).bounded
    with torch.inference_mode(False), torch.no_grad():
        layers = stack.layers(stack.theta.data)
        traces = stack.trace(inputs, layers)
        gradients = torch.zeros_like(stack.theta.data)
        error = traces[-1].values - targets
        stack.backward(traces, loss.derivative(error) * loss.weight(error), layers, stack.layers(gradients))
        statistics = []
        for number, (trace, (start, middle, _)) in enumerate(zip(traces, stack.offsets(), strict=True)):
            inactive = 0.0
            function = find_function(activation) if number + 1 < len(traces) else None
            if function is not None:
                ones = torch.ones_like(trace.sums)
                slopes = function.backward(ones, trace.values if function.by_outputs else trace.sums).abs()
                active = (slopes > LEAST_SLOPE).double().mean(1)[0]
                least = LEAST_PART_BOUNDED if bounded else LEAST_PART
                inactive = float((active < least).double().mean())
            gradient = float(gradients[0, start:middle].square().mean().sqrt())
            statistics.append(LayerStatistics(0.0 if bounded else inactive, inactive if bounded else 0.0, gradient))
    return statistics
