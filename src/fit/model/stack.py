"""Many small networks of one shape, computed as one."""

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from fit.model.functions import find_function

# The widest step that a CPU's vector loops take at once, in numbers: see `elementwise`.
LANES = 32
# Products of so few inputs, or gradients of so few rows, are written out: see `linear`.
FEW = 4
# From this width of two neighbouring layers on, a library's products are faster than those of kernel.c.
WIDE = 512


class Layer(NamedTuple):
    """A linear layer of every member: weight `[members, inputs, outputs]`, bias `[members, 1, outputs]` or None."""

    weight: Tensor
    bias: Tensor | None


class Trace(NamedTuple):
    """What a layer leaves for the way back: its inputs, its sums, their activation, and what was dropped."""

    inputs: Tensor
    sums: Tensor
    values: Tensor
    mask: Tensor | None


class Stack(nn.Module):
    """Multilayer perceptrons of one shape, one per member, their weights in one tensor `theta [members, parameters]`.

    A member's numbers do not depend on the other members: on the CPU they are bitwise those of the same member alone.
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
        self.activation, self.output_activation = activation, output_activation
        self.functions = [find_function(activation)] * (len(sizes) - 2) + [find_function(output_activation)]
        self.bias = bias
        self.dropout = dropout
        self.theta = nn.Parameter(theta)

    @property
    def members(self) -> int:
        """Number of networks."""
        return self.theta.shape[0]

    @property
    def widest(self) -> int:
        """The most numbers that a network holds of a row at once."""
        return max(self.sizes)

    @property
    def wide(self) -> bool:
        """Whether two neighbouring layers are so wide that the products of a library are faster than ours."""
        return any(min(pair) >= WIDE for pair in pairwise(self.sizes))

    def groups(self) -> dict[str, slice]:
        """Return where each layer stands in a row of `theta`, by name."""
        return {f"layer_{number}": slice(start, end) for number, (start, _, end) in enumerate(self.offsets(), start=1)}

    def weights(self) -> dict[str, slice]:
        """Return where each layer's weights stand, without its biases."""
        return {f"layer_{number}": slice(start, at) for number, (start, at, _) in enumerate(self.offsets(), start=1)}

    def layers(self, values: Tensor) -> list[Layer]:
        """View values `[members, parameters]` (weights, or their gradient) layer by layer."""
        layers = []
        for (fan_in, fan_out), (start, middle, end) in zip(pairwise(self.sizes), self.offsets(), strict=True):
            weight = values[:, start:middle].view(-1, fan_in, fan_out)
            layers.append(Layer(weight, values[:, middle:end].view(-1, 1, fan_out) if self.bias else None))
        return layers

    def offsets(self) -> Iterator[tuple[int, int, int]]:
        """Yield where each layer's weights start, where its biases start, and where it ends, in a row of `theta`."""
        start = 0
        for fan_in, fan_out in pairwise(self.sizes):
            middle = start + fan_in * fan_out
            end = middle + (fan_out if self.bias else 0)
            yield start, middle, end
            start = end

    def forward(self, inputs: Tensor, members: slice = slice(None)) -> Tensor:
        """Map inputs `[members or 1, rows, inputs]` to outputs `[members, rows, outputs]`, dropping nothing.

        With `members`, only those are computed.
        """
        return self.outputs(self.theta[members], inputs)

    def outputs(self, theta: Tensor, inputs: Tensor) -> Tensor:
        """Map inputs to outputs with weights `theta [members, parameters]`, by which autograd can differentiate."""
        return self.trace(inputs, self.layers(theta))[-1].values

    def trace(
        self, inputs: Tensor, layers: Sequence[Layer], draw_mask: Callable[[Tensor], Tensor] | None = None
    ) -> list[Trace]:
        """Map inputs to outputs and keep what `backward` needs; `draw_mask` makes dropout factors for hidden values."""
        members = len(layers[0].weight)
        values = inputs if len(inputs) == members else inputs.expand(members, -1, -1)
        traces: list[Trace] = []
        for layer, function in zip(layers, self.functions, strict=True):
            sums = linear(values, layer)
            activated = sums if function is None else elementwise(function.forward, sums)
            mask = draw_mask(activated) if draw_mask is not None and len(traces) < len(layers) - 1 else None
            traces.append(Trace(values, sums, activated, mask))
            values = activated if mask is None else activated * mask
        return traces

    def backward(
        self, traces: Sequence[Trace], gradient: Tensor, layers: Sequence[Layer], gradients: Sequence[Layer]
    ) -> None:
        """Write the gradient of a loss by every weight into `gradients`, from its `gradient` by the outputs.

        Source: Rumelhart, Hinton and Williams, Learning representations by back-propagating errors (1986).
        """
        for index in reversed(range(len(layers))):
            (inputs, sums, values, mask), function = traces[index], self.functions[index]
            if mask is not None:
                gradient = gradient * mask
            if function is not None:
                gradient = elementwise(function.backward, gradient, values if function.by_outputs else sums)
            linear_gradient(inputs, gradient, gradients[index])
            if index:
                gradient = linear(gradient, Layer(layers[index].weight.transpose(1, 2), None))


def linear(values: Tensor, layer: Layer) -> Tensor:
    """Apply a linear layer to `[members, rows, inputs]`.

    Small products are written out: a math library takes longer for many of them, and with one row or one output, which
    make no matrix product, it sums in another order for one member than for many.
    """
    weight, bias = layer
    inputs, outputs = weight.shape[1:]
    if inputs <= FEW:
        first = values[:, :, :1]
        product = first * weight[:, :1] if bias is None else torch.addcmul(bias, first, weight[:, :1])
        for index in range(1, inputs):
            product.addcmul_(values[:, :, index : index + 1], weight[:, index : index + 1])
        return product
    if outputs == 1:
        product = (values * weight.transpose(1, 2)).sum(2, keepdim=True)
    elif values.shape[1] == 1:
        product = (values.transpose(1, 2) * weight).sum(1, keepdim=True)
    elif bias is None:
        return torch.bmm(values, weight)
    else:
        return torch.baddbmm(bias, values, weight)
    return product if bias is None else product + bias


def linear_gradient(inputs: Tensor, gradient: Tensor, out: Layer) -> None:
    """Write the gradient by a layer's weight and bias into `out`, from its inputs and the gradient by its sums."""
    members, fan_in, fan_out = out.weight.shape
    rows = gradient.shape[1]
    if rows <= FEW:
        torch.mul(inputs[:, 0, :, None], gradient[:, :1], out=out.weight)
        for row in range(1, rows):
            out.weight.addcmul_(inputs[:, row, :, None], gradient[:, row : row + 1])
    elif fan_in == 1 or fan_out == 1:
        torch.sum(inputs * gradient, 1, out=out.weight.view(members, fan_in * fan_out))
    else:
        torch.bmm(inputs.transpose(1, 2), gradient, out=out.weight)
    if out.bias is not None:
        torch.sum(gradient, 1, keepdim=True, out=out.bias)


def elementwise(function: Callable[..., Tensor], *operands: Tensor) -> Tensor:
    """Apply a function number by number to `[members, rows, ...]`, the same way wherever a number stands.

    A CPU computes whole vectors by one formula and what is left over by another, whose last bit may differ. So that no
    number of a member is left over in one stack and not in another, every member fills whole vectors.
    """
    shape = operands[0].shape
    each_has = shape[1:].numel()
    missing = -each_has % (LANES * torch.get_num_threads())
    if missing == 0 or operands[0].device.type != "cpu":
        return function(*operands)
    filled = function(*(F.pad(each.reshape(shape[0], each_has), (0, missing)) for each in operands))
    return filled[:, :each_has].reshape(shape)
