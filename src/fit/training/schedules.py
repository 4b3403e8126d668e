"""Learning-rate schedules as closed forms: the factor of any step from nothing but its number."""

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor


@dataclass(frozen=True)
class Schedule:
    """A constant learning rate, and the warm-up that all schedules share: linear over `warmup_epochs`.

    `uses_length`: the rate of a step depends on how many steps there will be. `ends_low`: it falls to next to nothing
    at the end of the run, and not before.
    """

    uses_length: ClassVar[bool] = False
    ends_low: ClassVar[bool] = False

    warmup_epochs: float = 0.0

    def factors(self, steps: range, steps_per_epoch: int, max_epochs: int) -> Tensor:
        """Return what the learning rate is multiplied by `[len(steps)]`, in float64."""
        step = torch.arange(steps.start, steps.stop, dtype=torch.float64)
        factors = self.shape(step, steps_per_epoch, max_epochs * steps_per_epoch)
        warmup = self.warmup_epochs * steps_per_epoch
        return factors * ((step + 1) / warmup).clamp(max=1.0) if warmup > 0 else factors

    def shape(self, step: Tensor, steps_per_epoch: int, total: int) -> Tensor:
        """Return the factors without warm-up, for steps `[steps]` counted from 0 of `total`."""
        return torch.ones_like(step)


@dataclass(frozen=True)
class Step(Schedule):
    """Times `gamma` every `step_size` epochs, like `torch.optim.lr_scheduler.StepLR`."""

    step_size: float = 30.0
    gamma: float = 0.1

    def shape(self, step: Tensor, steps_per_epoch: int, total: int) -> Tensor:
        """Return the factors without warm-up."""
        return self.gamma ** (step // steps_per_epoch // self.step_size)


@dataclass(frozen=True)
class Exponential(Schedule):
    """Times `gamma` every epoch, like `torch.optim.lr_scheduler.ExponentialLR`."""

    gamma: float = 0.99

    def shape(self, step: Tensor, steps_per_epoch: int, total: int) -> Tensor:
        """Return the factors without warm-up."""
        return self.gamma ** (step // steps_per_epoch)


@dataclass(frozen=True)
class Cosine(Schedule):
    """Half a cosine from 1 down to `final`, step by step, like `torch.optim.lr_scheduler.CosineAnnealingLR`."""

    uses_length = True
    ends_low = True

    final: float = 0.0

    def shape(self, step: Tensor, steps_per_epoch: int, total: int) -> Tensor:
        """Return the factors without warm-up."""
        return descend(1.0, self.final, step / total)


@dataclass(frozen=True)
class OneCycle(Schedule):
    """Up from 1/div_factor to 1 and down to 1/(div_factor * final_div_factor), like `OneCycleLR` without momentum.

    Source: Smith and Topin, Super-Convergence (2018).
    """

    uses_length = True
    ends_low = True

    pct_start: float = 0.3
    div_factor: float = 25.0
    final_div_factor: float = 1e4

    def shape(self, step: Tensor, steps_per_epoch: int, total: int) -> Tensor:
        """Return the factors without warm-up."""
        peak, last = self.pct_start * total - 1, total - 1
        low = 1 / self.div_factor
        rising = descend(low, 1.0, step / max(peak, 1e-9))
        falling = descend(1.0, low / self.final_div_factor, (step - peak) / max(last - peak, 1e-9))
        return torch.where(step <= peak, rising, falling)


def descend(start: float, end: float, progress: Tensor) -> Tensor:
    """Go from start to end along half a cosine, for progress between 0 and 1."""
    return end + (start - end) * (1 + torch.cos(math.pi * progress.clamp(0, 1))) / 2
