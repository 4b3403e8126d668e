"""How a stack is trained."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from omegaconf import DictConfig
from torch.optim import Optimizer

from fit.evaluation.losses import LossFunction, find_loss
from fit.settings.build import arguments, build, find_class
from fit.settings.machine import default_threads
from fit.training.schedules import Schedule
from fit.training.update import Settings, check_proportional


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
    weight_decay: Sequence[float]
    max_epochs: Sequence[int]
    clip_algorithm: str = "norm"
    schedule: Schedule
    loss: LossFunction
    evaluate_every: int
    engine: str = "auto"
    threads: int = 1

    def keep(self, members: list[int]) -> "Recipe":
        """Forget all members but these."""
        return replace(
            self,
            lr=[self.lr[member] for member in members],
            seeds=[self.seeds[member] for member in members],
            l1=[self.l1[member] for member in members],
            l2=[self.l2[member] for member in members],
            clip_val=[self.clip_val[member] for member in members],
            weight_decay=[self.weight_decay[member] for member in members],
            max_epochs=[self.max_epochs[member] for member in members],
        )


def build_schedule(cfg: DictConfig) -> Schedule:
    """Build the schedule that a configuration names; raise FitError for settings that it does not take."""
    return build(find_class("scheduler", cfg.scheduler, Schedule), "scheduler", cfg.scheduler)


def build_recipe(cfgs: Sequence[DictConfig]) -> Recipe:
    """Collect what the configurations of a stack's members say of training; raise FitError for an unfit optimizer."""
    first = cfgs[0]
    kind = find_class("optimizer", first.optimizer, Optimizer)
    settings = {key: value for key, value in arguments(first.optimizer).items() if key != "lr"}
    if "weight_decay" in settings:
        settings["weight_decay"] = 0.0  # the members' own is applied beside
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
        weight_decay=[cfg.optimizer.get("weight_decay") or 0.0 for cfg in cfgs],
        max_epochs=[cfg.trainer.max_epochs for cfg in cfgs],
        clip_algorithm=first.trainer.gradient_clip_algorithm,
        schedule=build_schedule(first),
        loss=find_loss(first.loss),
        evaluate_every=first.trainer.check_val_every_n_epoch,
        engine=first.engine,
        threads=first.trainer.num_threads or default_threads(),
    )
