"""How a stack is trained."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from torch.optim import Optimizer

from fit.training.losses import LOSSES, Loss
from fit.training.schedules import Schedule


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How a stack is trained; the sequences hold one number per member. A `clip_val` of inf does not clip."""

    optimizer: type[Optimizer]
    optimizer_settings: Mapping[str, object]
    lr: Sequence[float]
    seeds: Sequence[int]
    l1: Sequence[float]
    l2: Sequence[float]
    clip_val: Sequence[float]
    clip_algorithm: str = "norm"
    schedule: Schedule = Schedule()
    loss: Loss = LOSSES["mse"]
    max_epochs: int
    look_every: int
