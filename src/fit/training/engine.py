"""What trains a stack: the seam between the steps and everything that looks at them."""

from collections.abc import Mapping, Sequence
from typing import ClassVar, NamedTuple, Protocol

import torch
from torch import Tensor
from torch.optim import Optimizer

from fit.data.batches import Batches
from fit.model.architecture import Networks
from fit.training.recipe import Recipe
from fit.training.update import State, member_state


class Snapshot(NamedTuple):
    """A copy of all that an engine goes on from: weights, optimizer state, and dropout generators by seed."""

    epoch: int
    step: int
    theta: Tensor
    optimizer: State
    dropout: Mapping[int, Tensor]

    def member_state(self, member: int) -> State:
        """Return what the optimizer remembers of one member."""
        return member_state(self.optimizer, self.theta, member)


class Engine(Protocol):
    """Takes optimizer steps of a stack, each member with its own learning rate, penalties and clipping threshold.

    `epoch` and `step` count passes over the rows and optimizer steps; `rates [members, 1]` are the learning rates of
    the last step, and `name` is the engine's in the catalog. `optimizer` is what Lightning is shown.
    """

    name: ClassVar[str]
    epoch: int
    step: int
    rates: Tensor

    def __init__(self, stack: Networks, recipe: Recipe) -> None:
        """Take the stack and how to train it."""

    @classmethod
    def refuses(cls, stack: Networks, recipe: Recipe, device: torch.device) -> str | None:
        """Say why it does not train these networks on a device, as what follows its name; None if it does."""

    @property
    def optimizer(self) -> Optimizer:
        """The torch optimizer whose state is the engine's."""

    def train(self, batches: Batches, until: int) -> Tensor:
        """Pass over the batches, at least once and at most until an epoch; return the summed errors `[steps, members]`.

        An engine comes back after a moment, and at the end of the first pass in which an error is not finite.
        """

    def keep(self, members: list[int]) -> None:
        """Forget all members but these."""

    def gradient_norms(self) -> dict[str, Tensor]:
        """Return the norm `[members]` of the last gradient, before clipping, as a whole and for each layer."""

    def penalty(self) -> Tensor:
        """Return the penalties on the weights `[members]`."""

    def snapshot(self) -> Snapshot:
        """Copy all that training goes on from."""

    def restore(self, snapshots: Sequence[Snapshot]) -> None:
        """Go on from snapshots of one member each, all of one epoch."""
