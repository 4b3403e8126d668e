"""How a stack is trained."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from omegaconf import DictConfig
from torch.optim import Optimizer

from fit.config.build import arguments, build, find_class
from fit.measure.losses import LOSSES, Loss
from fit.training.optimizer import Settings, check_proportional
from fit.training.schedules import Schedule


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How a stack is trained; the sequences hold one number per member. A `clip_val` of inf does not clip."""

    optimizer: type[Optimizer]
    optimizer_settings: Settings
    lr: Sequence[float]
    seeds: Sequence[int]
    l1: Sequence[float]
    l2: Sequence[float]
    clip_val: Sequence[float]
    clip_algorithm: str = "norm"
    schedule: Schedule
    loss: Loss
    max_epochs: int
    look_every: int


def build_recipe(cfgs: Sequence[DictConfig]) -> Recipe:
    """Collect what the configurations of a stack's members say of training; raise FitError for an unfit optimizer."""
    first = cfgs[0]
    kind = find_class("optimizer", first.optimizer, Optimizer)
    settings = {key: value for key, value in arguments(first.optimizer).items() if key != "lr"}
    check_proportional(kind, settings)
    clip_val = [cfg.trainer.gradient_clip_val for cfg in cfgs]
    return Recipe(
        optimizer=kind,
        optimizer_settings=settings,
        lr=[cfg.optimizer.lr for cfg in cfgs],
        seeds=[cfg.seed for cfg in cfgs],
        l1=[cfg.regularization.l1 for cfg in cfgs],
        l2=[cfg.regularization.l2 for cfg in cfgs],
        clip_val=[math.inf if value is None else value for value in clip_val],
        clip_algorithm=first.trainer.gradient_clip_algorithm,
        schedule=build(find_class("scheduler", first.scheduler, Schedule), "scheduler", first.scheduler),
        loss=LOSSES[first.loss],
        max_epochs=first.trainer.max_epochs,
        look_every=first.trainer.check_val_every_n_epoch,
    )
