"""Optimizer steps of a whole stack: forward, backward, penalties, clipping, update."""

from collections.abc import Iterator, Sequence

import torch
from torch import Generator, Tensor

from fit.data.batches import Batches, places
from fit.model.stack import Stack
from fit.training.optimizer import MemberOptimizer
from fit.training.recipe import Recipe

# Steps whose learning rates are computed at once.
RATES_AHEAD = 1024


class Stepper:
    """Trains a stack step by step, each member with its own learning rate, penalties and clipping threshold.

    It lives where `stack.theta` lives when it is made, and is a plain object: a Module's attributes cost microseconds.
    """

    rates: Tensor

    def __init__(self, stack: Stack, recipe: Recipe) -> None:
        """Take the stack and how to train it."""
        self.stack = stack
        self.recipe = recipe
        self.epoch = 0
        self.step = 0
        self.optimizer = MemberOptimizer(recipe.optimizer, stack.theta, recipe.optimizer_settings, recipe.weight_decay)
        self.masks = Masks(recipe.seeds, stack.dropout)
        self._allocate()

    def keep(self, members: list[int]) -> None:
        """Forget all members but these."""
        rates = self.rates[members]
        gradient = self.gradient[members]
        self.recipe = self.recipe.keep(members)
        self.optimizer.keep(members)
        self.masks.keep(self.recipe.seeds)
        self._allocate()
        self.rates = rates
        self.gradient.copy_(gradient)

    def _allocate(self) -> None:
        """Make what has one row for each member."""
        stack, recipe, theta = self.stack, self.recipe, self.stack.theta.data
        self.gradient = torch.zeros_like(theta)
        self.lr, self.l1, self.l2, self.clip_val = (
            torch.tensor(each, dtype=theta.dtype, device=theta.device)[:, None]
            for each in (recipe.lr, recipe.l1, recipe.l2, recipe.clip_val)
        )
        self.rates = torch.zeros_like(self.lr)
        self._penalized = bool(self.l1.any() or self.l2.any())
        self._clipped = bool(self.clip_val.isfinite().any())
        self._layers = stack.layers(theta)
        self._gradients = stack.layers(self.gradient)
        self._is_weight = torch.zeros_like(theta)
        for layer in stack.layers(self._is_weight):
            layer.weight.fill_(1)

    @torch.no_grad()
    def train_epoch(self, batches: Batches, rates: Iterator[Tensor]) -> list[Tensor]:
        """Pass once over the batches and return every step's summed errors `[members]`."""
        totals = [self.take(inputs, targets, next(rates)) for inputs, targets in batches]
        self.step += len(totals)
        self.epoch += 1
        return totals

    def take(self, inputs: Tensor, targets: Tensor, rates: Tensor) -> Tensor:
        """Take one step with learning rates `[members, 1]` and return its summed errors `[members]`."""
        self.rates = rates
        total = self._compute_gradient(inputs, targets)
        self.optimizer.step(rates)
        return total

    def rates_ahead(self, steps_per_epoch: int, until: int) -> Iterator[Tensor]:
        """Yield the learning rates `[members, 1]` of the steps to come until an epoch, computed many at a time."""
        end = until * steps_per_epoch
        lengths = list(dict.fromkeys(self.recipe.max_epochs))
        length_of_member = places(self.recipe.max_epochs)
        for step in range(self.step, end, RATES_AHEAD):
            ahead = range(step, min(step + RATES_AHEAD, end))
            factors = torch.stack(
                [self.recipe.schedule.factors(ahead, steps_per_epoch, length) for length in lengths], 1
            )
            yield from (factors[:, length_of_member, None].to(self.lr) * self.lr).unbind()

    def penalty(self) -> Tensor:
        """Return `l1 * sum |w| + l2 * sum w²` over the weights, not the biases, `[members]`."""
        weights = self.stack.theta.data * self._is_weight
        return (self.l1 * weights.abs() + self.l2 * weights.square()).sum(1)

    def gradient_norms(self) -> dict[str, Tensor]:
        """Return the norm `[members]` of the last gradient, before clipping, as a whole and for each layer."""
        parts = {"grad_norm": self.gradient}
        for number, (start, _, end) in enumerate(self.stack.offsets(), start=1):
            parts[f"grad_norm/layer_{number}"] = self.gradient[:, start:end]
        return {name: torch.linalg.vector_norm(part, dim=1) for name, part in parts.items()}

    def _compute_gradient(self, inputs: Tensor, targets: Tensor) -> Tensor:
        """Fill the gradient for one batch and return the summed errors `[members]`."""
        stack, loss = self.stack, self.recipe.loss
        traces = stack.trace(inputs, self._layers, self.masks.draw if stack.dropout else None)
        error = traces[-1].values - targets
        stack.backward(traces, loss.derivative(error) * loss.weight(error), self._layers, self._gradients)
        gradient = self.gradient
        if self._penalized:
            theta = stack.theta.data
            gradient += self._is_weight * (self.l1 * theta.sign() + 2 * self.l2 * theta)
        if self._clipped:
            gradient = clip(gradient, self.clip_val, self.recipe.clip_algorithm)
        stack.theta.grad = gradient
        return loss.value(error).sum((1, 2))


class Masks:
    """Dropout factors that depend on a member's seed alone; they are those of `nn.Dropout` under that seed."""

    def __init__(self, seeds: Sequence[int], dropout: float) -> None:
        """Take the members' seeds and the probability of a value being dropped."""
        self.kept = 1 - dropout
        self.generators = {seed: Generator().manual_seed(seed) for seed in dict.fromkeys(seeds)}
        self._generator_of_member = places(seeds)

    def keep(self, seeds: Sequence[int]) -> None:
        """Forget all members but those of these seeds."""
        self.generators = {seed: self.generators[seed] for seed in dict.fromkeys(seeds)}
        self._generator_of_member = places(seeds)

    def draw(self, values: Tensor) -> Tensor:
        """Draw factors for a layer's values `[members, rows, columns]`."""
        drawn = [
            torch.empty(values.shape[1:], dtype=values.dtype).bernoulli_(self.kept, generator=each)
            for each in self.generators.values()
        ]
        return (torch.stack(drawn)[self._generator_of_member] / self.kept).to(values.device)


def clip(gradient: Tensor, limit: Tensor, algorithm: str) -> Tensor:
    """Limit each member's gradient `[members, parameters]` to `[members, 1]`: its norm, or the value of each number."""
    if algorithm == "value":
        return gradient.clamp(-limit, limit)
    norm: Tensor = torch.linalg.vector_norm(gradient, dim=1, keepdim=True)
    # Without a limit the factor is 1, whatever the norm: infinity over infinity is not.
    return gradient * torch.where(limit.isinf(), 1.0, limit / (norm + 1e-6)).clamp(max=1.0)
