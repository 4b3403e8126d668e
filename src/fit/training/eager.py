"""Engines that take every step of a stack by torch operations, one after the other."""

from abc import abstractmethod
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from fit.data.batches import Batches
from fit.model.architecture import Networks
from fit.model.stack import Stack
from fit.training.base import BaseEngine
from fit.training.engine import Snapshot
from fit.training.recipe import Recipe
from fit.training.step import clip, penalty_gradient

# Steps whose learning rates are computed at once.
RATES_AHEAD = 1024


class Stepper(BaseEngine):
    """Trains a stack step by step; how the gradient of a batch is computed is left to the engines derived from it."""

    _ahead: Iterator[Tensor] | None = None

    @torch.no_grad()
    def train(self, batches: Batches, until: int) -> Tensor:
        """Pass once over the batches; return every step's summed errors `[steps, members]`."""
        if self._ahead is None:
            self._ahead = self._rates_ahead(len(batches))
        totals = [self.take(inputs, targets, next(self._ahead)) for inputs, targets in batches]
        self.step += len(totals)
        self.epoch += 1
        return torch.stack(totals)

    def take(self, inputs: Tensor, targets: Tensor, rates: Tensor) -> Tensor:
        """Take one step with learning rates `[members, 1]` and return its summed errors `[members]`."""
        self.rates = rates
        total = self._compute_gradient(inputs, targets)
        self.update.step(rates)
        return total

    def keep(self, members: list[int]) -> None:
        """Forget all members but these."""
        self._ahead = None
        super().keep(members)

    def restore(self, snapshots: Sequence[Snapshot]) -> None:
        """Go on from snapshots of one member each, all of one epoch."""
        self._ahead = None
        super().restore(snapshots)

    def _rates_ahead(self, steps_per_epoch: int) -> Iterator[Tensor]:
        """Yield the learning rates `[members, 1]` of the steps to come, computed many at a time."""
        end = max(self.recipe.max_epochs) * steps_per_epoch
        for step in range(self.step, end, RATES_AHEAD):
            yield from self.rate_table(range(step, min(step + RATES_AHEAD, end)), steps_per_epoch).unsqueeze(2).unbind()

    @abstractmethod
    def differentiate(self, inputs: Tensor, targets: Tensor) -> Tensor:
        """Write the gradient of the loss on one batch into `gradient`; return outputs - targets.

        All are `[members or 1, rows, columns]`.
        """

    def _compute_gradient(self, inputs: Tensor, targets: Tensor) -> Tensor:
        """Fill the gradient for one batch and return the summed errors `[members]`."""
        error, gradient, theta = self.differentiate(inputs, targets), self.gradient, self.stack.theta
        if self.penalized:
            gradient += penalty_gradient(theta.data, self.is_weight, self.l1, self.l2)
        if self.clipped:
            gradient = clip(gradient, self.clip_val, self.recipe.clip_algorithm)
        theta.grad = gradient
        return self.recipe.loss.value(error).sum((1, 2))


class Eager(Stepper):
    """Computes the gradient of multilayer perceptrons layer by layer."""

    name = "eager"
    stack: Stack

    @classmethod
    def refuses(cls, stack: Networks, recipe: Recipe, device: torch.device) -> str | None:
        """Say why it does not train these networks; None if it does."""
        if not isinstance(stack, Stack):
            return "needs a network of layers"
        return None

    def bind(self) -> None:
        """View weights and gradient layer by layer."""
        self._layers = self.stack.layers(self.stack.theta.data)
        self._gradients = self.stack.layers(self.gradient)

    def differentiate(self, inputs: Tensor, targets: Tensor) -> Tensor:
        """Write the gradient of the loss on one batch by back-propagation; return outputs - targets."""
        stack, loss = self.stack, self.recipe.loss
        traces = stack.trace(inputs, self._layers, self.masks.draw if stack.dropout else None)
        error = traces[-1].values - targets
        stack.backward(traces, loss.derivative(error) * loss.weight(error), self._layers, self._gradients)
        return error
