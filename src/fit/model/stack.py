"""Many small networks of one shape, trained as one."""

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple, Self

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from fit.model.activations import ACTIVATIONS

# The widest step that a CPU's vector loops take at once, in numbers: see `elementwise`.
LANES = 32


class Layer(NamedTuple):
    """One linear layer of every member: weight `[members, inputs, outputs]`, bias `[members, 1, outputs]` or None."""

    weight: Tensor
    bias: Tensor | None


class Stack(nn.Module):
    """Multilayer perceptrons of one shape, one per member, their weights in one tensor `theta [members, parameters]`.

    A member's numbers do not depend on its company: on the CPU they are bitwise those of the same member alone.
    """

    def __init__(
        self,
        theta: Tensor,
        sizes: Sequence[int],
        activation: str,
        output_activation: str = "identity",
        *,
        bias: bool = True,
        dropout: float = 0.0,
    ) -> None:
        """Take start values `theta [members, parameters]` for layers of `sizes` (inputs, hidden ..., outputs)."""
        super().__init__()
        self.sizes = tuple(sizes)
        self.activation = ACTIVATIONS[activation].load()
        self.output_activation = ACTIVATIONS[output_activation].load()
        self.bias = bias
        self.dropout = dropout
        self.theta = nn.Parameter(theta, requires_grad=False)
        self._bind()

    @property
    def members(self) -> int:
        """Number of networks."""
        return self.theta.shape[0]

    def forward(self, inputs: Tensor, masks: Callable[[Tensor], Tensor] | None = None) -> Tensor:
        """Map inputs `[members or 1, rows, inputs]` to outputs `[members, rows, outputs]`.

        `masks` makes the dropout factors for a hidden layer's values; without it, nothing is dropped.
        """
        values = inputs.expand(self.members, -1, -1)
        *hidden, last = self.layers
        for layer in hidden:
            values = elementwise(self.activation, linear(values, layer))
            if masks is not None:
                values = values * masks(values)
        return elementwise(self.output_activation, linear(values, last))

    def penalty(self, l1: Tensor, l2: Tensor) -> Tensor:
        """Return `l1 * sum |w| + l2 * sum w²` over the weights (not the biases), all `[members]`."""
        weights = [layer.weight.detach() for layer in self.layers]
        return torch.stack([l1 * weight.abs().sum(2).sum(1) + l2 * norm_squared(weight) for weight in weights]).sum(0)

    def add_penalty_gradient(self, l1: Tensor, l2: Tensor) -> None:
        """Add the gradient of `penalty`."""
        for weight, _ in self.layers:
            assert weight.grad is not None
            weight.grad += l1[:, None, None] * weight.sign() + 2 * l2[:, None, None] * weight

    def gradient_norms(self) -> dict[str, Tensor]:
        """Euclidean norm `[members]` of the gradient, in total and for each layer."""
        squares = [
            torch.stack([norm_squared(part.grad) for part in layer if part is not None and part.grad is not None]).sum(0)
            for layer in self.layers
        ]
        norms = {"total": torch.stack(squares).sum(0).sqrt()}
        return norms | {f"layer_{index}": square.sqrt() for index, square in enumerate(squares, start=1)}

    def _bind(self) -> None:
        """Lay the layers over `theta`, and their gradients over `theta.grad`: no copying, no extra graph nodes."""
        theta = self.theta.detach()
        self.gradient = self.theta.grad = torch.zeros_like(theta)
        self.layers: list[Layer] = []
        for (fan_in, fan_out), (start, middle, end) in zip(pairwise(self.sizes), offsets(self.sizes, self.bias), strict=True):
            parts = []
            for begin, finish, rows in ((start, middle, fan_in), (middle, end, 1)):
                if begin == finish:
                    parts.append(None)
                    continue
                shape = (self.members, rows, fan_out)
                part = theta[:, begin:finish].view(shape).detach().requires_grad_()
                part.grad = self.gradient[:, begin:finish].view(shape)
                parts.append(part)
            self.layers.append(Layer(*parts))

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        """Move to a device or precision, as every Module does, and lay the layers over the new storage."""
        self.theta.grad = None
        moved = super()._apply(fn, recurse)
        moved._bind()
        return moved


def offsets(sizes: Sequence[int], bias: bool) -> Iterator[tuple[int, int, int]]:
    """Yield where each layer's weights start, where its biases start, and where it ends, in a row of `theta`."""
    start = 0
    for fan_in, fan_out in pairwise(sizes):
        middle = start + fan_in * fan_out
        end = middle + (fan_out if bias else 0)
        yield start, middle, end
        start = end


def linear(values: Tensor, layer: Layer) -> Tensor:
    """Apply a linear layer to `[members, rows, inputs]`.

    With one input or one output it is no matrix product, and math libraries sum such products in another order for one
    member than for many; written out, the order is the same.
    """
    weight, bias = layer
    if weight.shape[1] == 1:
        product = values * weight
    elif weight.shape[2] == 1:
        product = (values * weight.transpose(1, 2)).sum(2, keepdim=True)
    elif bias is None:
        return torch.bmm(values, weight)
    else:
        return torch.baddbmm(bias, values, weight)
    return product if bias is None else product + bias


def elementwise(function: Callable[[Tensor], Tensor] | None, values: Tensor) -> Tensor:
    """Apply a function (None: nothing) to each number of `[members, rows, columns]`, whichever its place.

    A CPU computes whole vectors by one formula and what is left over by another, whose last bit may differ. So that no
    number of a member is left over in one company and not in another, every member fills whole vectors.
    """
    if function is None:
        return values
    members, rows, columns = values.shape
    missing = -(rows * columns) % (LANES * torch.get_num_threads())
    if missing == 0 or values.device.type != "cpu":
        return function(values)
    filled = function(F.pad(values.reshape(members, rows * columns), (0, missing)))
    return filled[:, : rows * columns].reshape(members, rows, columns)


def norm_squared(values: Tensor) -> Tensor:
    """Sum of squares `[members]` of `[members, rows, columns]`, summed in the same order in any company."""
    return values.square().sum(2).sum(1)
