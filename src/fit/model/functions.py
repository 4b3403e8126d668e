"""What the activations compute, and their derivatives, as torch's own kernels."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

aten = torch.ops.aten


class Function(NamedTuple):
    """An activation: its values, and the gradient of a loss before it from that after it, its input and its output."""

    forward: Callable[[Tensor], Tensor]
    backward: Callable[[Tensor, Tensor, Tensor], Tensor]


FUNCTIONS = {
    "relu": Function(F.relu, lambda gradient, x, y: aten.threshold_backward(gradient, x, 0)),
    "leaky_relu": Function(F.leaky_relu, lambda gradient, x, y: aten.leaky_relu_backward(gradient, x, 0.01, False)),
    "elu": Function(F.elu, lambda gradient, x, y: aten.elu_backward(gradient, 1, 1, 1, False, x)),
    "silu": Function(F.silu, lambda gradient, x, y: aten.silu_backward(gradient, x)),
    "gelu": Function(F.gelu, lambda gradient, x, y: aten.gelu_backward(gradient, x)),
    "tanh": Function(torch.tanh, lambda gradient, x, y: aten.tanh_backward(gradient, y)),
    "sigmoid": Function(torch.sigmoid, lambda gradient, x, y: aten.sigmoid_backward(gradient, y)),
    "softplus": Function(F.softplus, lambda gradient, x, y: aten.softplus_backward(gradient, x, 1, 20)),
    "sin": Function(torch.sin, lambda gradient, x, y: gradient * x.cos()),
}
