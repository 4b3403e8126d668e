"""What the activations compute, and their derivatives, as torch's own kernels."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

aten = torch.ops.aten


class Function(NamedTuple):
    """An activation: its values, and a loss's gradient before it from that after it and its inputs (or its outputs)."""

    forward: Callable[[Tensor], Tensor]
    backward: Callable[[Tensor, Tensor], Tensor]
    by_outputs: bool = False


FUNCTIONS = {
    "relu": Function(F.relu, lambda gradient, x: aten.threshold_backward(gradient, x, 0)),
    "leaky_relu": Function(F.leaky_relu, lambda gradient, x: aten.leaky_relu_backward(gradient, x, 0.01, False)),
    "elu": Function(F.elu, lambda gradient, x: aten.elu_backward(gradient, 1, 1, 1, False, x)),
    "silu": Function(F.silu, aten.silu_backward),
    "gelu": Function(F.gelu, aten.gelu_backward),
    "tanh": Function(torch.tanh, aten.tanh_backward, by_outputs=True),
    "sigmoid": Function(torch.sigmoid, aten.sigmoid_backward, by_outputs=True),
    "softplus": Function(F.softplus, lambda gradient, x: aten.softplus_backward(gradient, x, 1, 20)),
    "sin": Function(torch.sin, lambda gradient, x: gradient * x.cos()),
}
