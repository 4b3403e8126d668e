"""What a model's settings describe: a network of so many inputs and outputs, any number of which make a stack."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from fit.model.functions import find_activation
from fit.model.stack import Stack
from fit.model.start import start_values

Settings = Mapping[str, Any]  # of a model: what `model` holds in a configuration


class Networks(Protocol):
    """A stack of networks, whose weights are the rows of `theta [members, parameters]`."""

    theta: nn.Parameter
    dropout: float

    @property
    def members(self) -> int:
        """Number of networks."""

    @property
    def widest(self) -> int:
        """The most numbers that a network holds of a row at once."""

    @property
    def wide(self) -> bool:
        """Whether a library's products, with their threads, are the fastest."""

    def groups(self) -> dict[str, slice]:
        """Return what of a row of `theta` belongs together, by name."""

    def weights(self) -> dict[str, slice]:
        """Return where the weights stand that penalties are for: not the biases."""

    def outputs(self, theta: Tensor, inputs: Tensor) -> Tensor:
        """Map inputs `[members or 1, rows, inputs]` to outputs with weights `theta`, differentiably."""

    def __call__(self, inputs: Tensor, members: slice = ...) -> Tensor:
        """Map inputs `[members or 1, rows, inputs]` to outputs `[members, rows, outputs]`."""


class Architecture(Protocol):
    """The shape of a network."""

    @property
    def sizes(self) -> Sequence[int]:
        """Numbers of inputs, of units of each layer that is known, and of outputs."""

    @property
    def parameters(self) -> int:
        """Number of weights and biases."""

    @property
    def affine(self) -> bool:
        """Whether it is an affine function of its inputs, whatever its weights."""

    @property
    def output_range(self) -> tuple[float, float]:
        """Between which numbers the outputs are, whatever the weights."""

    def starts(self, models: Sequence[Settings], seeds: Sequence[int]) -> Tensor:
        """Draw start values `[members, parameters]` in float32, by each member's settings and seed."""

    def stack(self, theta: Tensor) -> Networks:
        """Return the networks whose weights are the rows of `theta`."""

    def __str__(self) -> str:
        """Describe it in a line."""


@dataclass(frozen=True)
class MLP:
    """A multilayer perceptron."""

    sizes: tuple[int, ...]
    activation: str
    output_activation: str
    bias: bool
    dropout: float = 0.0

    @property
    def hidden(self) -> tuple[int, ...]:
        """Units of the hidden layers."""
        return self.sizes[1:-1]

    @property
    def parameters(self) -> int:
        """Number of weights and biases."""
        return sum((fan_in + self.bias) * fan_out for fan_in, fan_out in pairwise(self.sizes))

    @property
    def affine(self) -> bool:
        """Whether it is an affine function of its inputs, whatever its weights."""
        return find_activation(self.output_activation).affine and (
            not self.hidden or find_activation(self.activation).affine
        )

    @property
    def output_range(self) -> tuple[float, float]:
        """Between which numbers the outputs are, whatever the weights."""
        last = find_activation(self.output_activation)
        return last.low, last.high

    def starts(self, models: Sequence[Settings], seeds: Sequence[int]) -> Tensor:
        """Draw start values `[members, parameters]` in float32, by each member's settings and seed."""
        drawn = [
            start_values(self.sizes, seed, init=model["init"], gain=model["gain"], bias=self.bias)
            for model, seed in zip(models, seeds, strict=True)
        ]
        return torch.stack(drawn)

    def stack(self, theta: Tensor) -> Stack:
        """Return the networks whose weights are the rows of `theta`."""
        return Stack(theta, self.sizes, self.activation, self.output_activation, bias=self.bias, dropout=self.dropout)

    def __str__(self) -> str:
        """Write its layers and activations."""
        activation = f", {self.activation}" if self.hidden else ""
        last = "" if find_activation(self.output_activation).affine else f", {self.output_activation} at the output"
        return f"{' → '.join(map(str, self.sizes))}{activation}{last}"


def architecture(model: Settings, inputs: int, outputs: int) -> Architecture:
    """Return what a model's settings describe; raise FitError for a module or function that cannot be imported."""
    if "module" in model:
        from fit.model.own_module import OwnModule

        return OwnModule(str(model["module"]), dict(model["settings"] or {}), inputs, outputs)
    return MLP(
        (inputs, *model["hidden"], outputs),
        model["activation"],
        model["output_activation"],
        model["bias"],
        model["dropout"],
    )
