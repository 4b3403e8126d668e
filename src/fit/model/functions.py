"""What the activations compute, and their derivatives, as torch's own kernels or a user's own function."""

from collections.abc import Callable
from functools import cache
from typing import NamedTuple

import torch
from torch import Tensor

from fit.catalog.activations import ACTIVATIONS, Activation
from fit.errors import FitError
from fit.settings.build import import_named


class Function(NamedTuple):
    """An activation: its values, and a loss's gradient before it from that after it and its inputs (or its outputs)."""

    forward: Callable[[Tensor], Tensor]
    backward: Callable[[Tensor, Tensor], Tensor]
    by_outputs: bool = False


def find_activation(name: str) -> Activation:
    """Return what is known of an activation, by its name or as the user's own MODULE.FUNCTION.

    Raises FitError if that cannot be imported, or is not elementwise.
    """
    return ACTIVATIONS[name] if name in ACTIVATIONS else own_activation(name)


@cache
def own_activation(name: str) -> Activation:
    """Return a function of the user's own, which autograd differentiates."""
    function = import_elementwise("model.activation", name)
    derivative = derivative_of(function)
    return Activation(
        lambda torch: function,
        lambda torch: lambda gradient, inputs: gradient * derivative(inputs),
        c=None,
        numpy=None,
    )


def find_function(name: str) -> Function | None:
    """Return what an activation computes; None where that is nothing."""
    known = find_activation(name)
    return None if known.affine else Function(known.forward(torch), known.backward(torch), known.by_outputs)


def import_elementwise(setting: str, name: str) -> Callable[[Tensor], Tensor]:
    """Import a function of a tensor that computes each number by itself; raise FitError if it is none."""
    function = import_named(setting, name, "give MODULE.FUNCTION, the module in this folder or installed")
    if not callable(function):
        raise FitError(f"{setting}={name} is not a function but a {type(function).__name__}.")
    samples = torch.linspace(-2, 2, 6, dtype=torch.float64)
    try:
        whole, one, slope = function(samples), function(samples[1:2]), derivative_of(function)(samples)
        sound = (
            whole.shape == samples.shape
            and torch.allclose(whole[1:2], one, equal_nan=True)
            and slope.shape == samples.shape
        )
    except Exception as error:  # it is somebody's own code
        raise FitError(f"{setting}={name} cannot be computed ({type(error).__name__}: {error}).") from None
    if not sound:
        raise FitError(f"{setting}={name} is not allowed: give a torch function that computes each number by itself.")
    return function


def derivative_of(function: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    """Return the derivative of an elementwise function, by autograd."""

    def derivative(inputs: Tensor) -> Tensor:
        with torch.enable_grad():
            at = inputs.detach().requires_grad_()
            (slopes,) = torch.autograd.grad(function(at).sum(), at)
        return slopes

    return derivative
