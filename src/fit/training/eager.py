"""Engines that take every step of a stack by torch operations, one after the other."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence

import torch
from torch import Generator, Tensor
from torch.optim import Optimizer

from fit.data.batches import Batches, places
from fit.model.architecture import Networks
from fit.model.stack import Stack
from fit.training.engine import Snapshot
from fit.training.recipe import Recipe
from fit.training.step import clip, penalty, penalty_gradient
from fit.training.update import MemberOptimizer

# Steps whose learning rates are computed at once.
RATES_AHEAD = 1024


class Stepper(ABC):
    """Trains a stack step by step; how the gradient of a batch is computed is left to the engines derived from it.

    It lives where `stack.theta` lives when it is made, and is a plain object: a Module's attributes cost microseconds.
    """

    rates: Tensor

    def __init__(self, stack: Networks, recipe: Recipe) -> None:
        """Take the stack and how to train it."""
        self.stack = stack
        self.recipe = recipe
        self.epoch = 0
        self.step = 0
        self.update = MemberOptimizer(recipe.optimizer, stack.theta, recipe.optimizer_settings, recipe.weight_decay)
        self.masks = Masks(recipe.seeds, stack.dropout)
        self._allocate()

    @property
    def optimizer(self) -> Optimizer:
        """The torch optimizer whose state is the engine's."""
        return self.update.optimizer

    def keep(self, members: list[int]) -> None:
        """Forget all members but these."""
        rates = self.rates[members]
        gradient = self.gradient[members]
        self.recipe = self.recipe.keep(members)
        self.update.keep(members)
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
        self.penalized = bool(self.l1.any() or self.l2.any())
        self.clipped = bool(self.clip_val.isfinite().any())
        self.is_weight = torch.zeros_like(theta)
        for place in stack.weights().values():
            self.is_weight[:, place] = 1
        self.bind()

    @torch.no_grad()
    def train(self, batches: Batches, rates: Iterator[Tensor], passes: int) -> list[Tensor]:
        """Pass so many times over the batches; return every step's summed errors `[members]`."""
        totals: list[Tensor] = []
        for _ in range(passes):
            totals += self.train_pass(batches, rates)
            self.epoch += 1
        return totals

    def train_pass(self, batches: Batches, rates: Iterator[Tensor]) -> list[Tensor]:
        """Pass once over the batches."""
        totals = [self.take(inputs, targets, next(rates)) for inputs, targets in batches]
        self.step += len(totals)
        return totals

    def take(self, inputs: Tensor, targets: Tensor, rates: Tensor) -> Tensor:
        """Take one step with learning rates `[members, 1]` and return its summed errors `[members]`."""
        self.rates = rates
        total = self._compute_gradient(inputs, targets)
        self.update.step(rates)
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
        """Return the penalties on the weights `[members]`."""
        return penalty(self.stack.theta.data, self.is_weight, self.l1, self.l2)

    def gradient_norms(self) -> dict[str, Tensor]:
        """Return the norm `[members]` of the last gradient, before clipping, as a whole and for each layer."""
        parts = {"grad_norm": self.gradient}
        parts |= {f"grad_norm/{name}": self.gradient[:, place] for name, place in self.stack.groups().items()}
        return {name: torch.linalg.vector_norm(part, dim=1) for name, part in parts.items()}

    def snapshot(self) -> Snapshot:
        """Copy all that training goes on from."""
        dropout = {seed: each.get_state() for seed, each in self.masks.generators.items()}
        return Snapshot(self.epoch, self.step, self.stack.theta.data.clone(), self.update.states(), dropout)

    def restore(self, snapshots: Sequence[Snapshot]) -> None:
        """Go on from snapshots of one member each, all of one epoch."""
        self.epoch, self.step = snapshots[0].epoch, snapshots[0].step
        self.stack.theta.data.copy_(torch.stack([each.theta for each in snapshots]))
        if snapshots[0].optimizer:
            self.update.load([each.optimizer for each in snapshots])
        for each in snapshots:
            for seed, state in each.dropout.items():
                self.masks.generators[seed].set_state(state)

    def bind(self) -> None:  # noqa: B027 -- not every engine has something to do
        """Take up weights and gradient, which are other tensors now."""

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

    stack: Stack

    @classmethod
    def refuses(cls, stack: Networks, recipe: Recipe) -> str | None:
        """Say why these networks cannot be trained by this engine; None if they can."""
        if not isinstance(stack, Stack):
            return "engine=eager needs a network of layers: give engine=auto for a module of your own."
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
