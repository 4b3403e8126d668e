"""What the activations compute, and their derivatives, as torch's own kernels."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from fit.model.activations import ACTIVATIONS


class Function(NamedTuple):
    """An activation: its values, and a loss's gradient before it from that after it and its inputs (or its outputs)."""

    forward: Callable[[Tensor], Tensor]
    backward: Callable[[Tensor, Tensor], Tensor]
    by_outputs: bool = False


# Of identity nothing is computed.
FUNCTIONS = {
    name: Function(each.forward(torch), each.backward(torch), each.by_outputs)
    for name, each in ACTIVATIONS.items()
    if name != "identity"
}
