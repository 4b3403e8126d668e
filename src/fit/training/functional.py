"""The engine for any module: its gradient by torch.func."""

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
    def refuses(cls, stack: Networks, recipe: Recipe) -> str | None:
        """Say why these networks cannot be trained by this engine; None if they can."""
        if stack.dropout:
            return "engine=functional is not possible with model.dropout: give engine=eager, or model.dropout=0."
        return None

    def differentiate(self, inputs: Tensor, targets: Tensor) -> Tensor:
        """Write the gradient of the loss on one batch by autograd; return outputs - targets."""
        stack, loss = self.stack, self.recipe.loss
        outputs, pull_back, *_ = vjp(lambda theta: stack.outputs(theta, inputs), stack.theta.data)
        error: Tensor = outputs - targets
        (gradient,) = pull_back(loss.derivative(error) * loss.weight(error))
        self.gradient.copy_(gradient)
        return error
