"""What every engine holds: the weights, what the optimizer remembers, and what each member is trained with."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor
from torch.optim import Optimizer

from fit.data.batches import Batches, places
from fit.model.architecture import Networks
from fit.training.engine import Snapshot
from fit.training.masks import Masks
from fit.training.recipe import Recipe
from fit.training.step import penalty
from fit.training.update import MemberOptimizer


class BaseEngine(ABC):
    """Keeps the state of a stack and of its training; how steps are taken is left to the engines derived from it.

    It lives where `stack.theta` lives when it is made, and is a plain object: a Module's attributes cost microseconds.
    """

    name: ClassVar[str]
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

    @abstractmethod
    def train(self, batches: Batches, until: int) -> Tensor:
        """Pass over the batches; see `Engine.train`."""

    def rate_table(self, steps: range, steps_per_epoch: int) -> Tensor:
        """Return the learning rates `[steps, members]` of the steps to come, counted from 0."""
        lengths = list(dict.fromkeys(self.recipe.max_epochs))
        factors = torch.stack([self.recipe.schedule.factors(steps, steps_per_epoch, length) for length in lengths], 1)
        return factors[:, places(self.recipe.max_epochs)].to(self.lr) * self.lr[:, 0]

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
