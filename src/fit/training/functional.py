"""The engine for any module: its gradient by torch.func."""

import torch
from torch import Tensor
from torch.func import vjp

from fit.model.architecture import Networks
from fit.training.eager import Stepper
from fit.training.recipe import Recipe


class Functional(Stepper):
    """Computes the gradient of all members at once, by `vjp` of modules that `vmap` calls.

    A member's numbers are those of the same member alone but for rounding.
    """

    name = "functional"

    @classmethod
    def refuses(cls, stack: Networks, recipe: Recipe, device: torch.device) -> str | None:
        """Say why it does not train these networks; None if it does."""
        if stack.dropout:
            return "is not possible with model.dropout"
        return None

    def differentiate(self, inputs: Tensor, targets: Tensor) -> Tensor:
        """Write the gradient of the loss on one batch by autograd; return outputs - targets."""
        stack, loss = self.stack, self.recipe.loss
        outputs, pull_back, *_ = vjp(lambda theta: stack.outputs(theta, inputs), stack.theta.data)
        error: Tensor = outputs - targets
        (gradient,) = pull_back(loss.derivative(error) * loss.weight(error))
        self.gradient.copy_(gradient)
        return error
