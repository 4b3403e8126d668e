"""The hidden units of a network: which never answer, which are saturated, and what gradient reaches them."""

from typing import NamedTuple

import torch

from fit.data.dataset import Rows
from fit.evaluation.losses import LossFunction
from fit.model.functions import find_activation, find_function
from fit.model.stack import Stack

# A unit answers to a row if its slope there is at least this part of the largest that its activation has.
LEAST_SLOPE = 0.02
# Rows to which a unit has to answer.
LEAST_PART, LEAST_PART_BOUNDED = 0.02, 0.15


class LayerStatistics(NamedTuple):
    """A hidden layer: the parts of its units that are dead and saturated, and the size of its weights' gradient."""

    dead: float
    saturated: float
    gradient: float


def measure_layers(stack: Stack, rows: Rows, loss: LossFunction, activation: str) -> list[LayerStatistics]:
    """Measure each hidden layer of a network on scaled rows, and last the output layer.

    A unit whose slope is next to nothing on all rows but a few is saturated where its activation is bounded on both
    sides, and dead where it is not.
    """
    inputs, targets = (each.unsqueeze(0) for each in rows)
    bounded = find_activation(activation).bounded
    with torch.inference_mode(False), torch.no_grad():
        layers = stack.layers(stack.theta.data)
        traces = stack.trace(inputs, layers)
        gradients = torch.zeros_like(stack.theta.data)
        error = traces[-1].values - targets
        stack.backward(traces, loss.derivative(error) * loss.weight(error), layers, stack.layers(gradients))
        looks = []
        for number, (trace, (start, middle, _)) in enumerate(zip(traces, stack.offsets(), strict=True)):
            silent = 0.0
            function = find_function(activation) if number + 1 < len(traces) else None
            if function is not None:
                ones = torch.ones_like(trace.sums)
                slopes = function.backward(ones, trace.values if function.by_outputs else trace.sums).abs()
                answers = (slopes > LEAST_SLOPE).double().mean(1)[0]
                least = LEAST_PART_BOUNDED if bounded else LEAST_PART
                silent = float((answers < least).double().mean())
            gradient = float(gradients[0, start:middle].square().mean().sqrt())
            looks.append(LayerStatistics(0.0 if bounded else silent, silent if bounded else 0.0, gradient))
    return looks
