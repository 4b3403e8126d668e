"""A trial: the same training from other start values, all as one stack, as far as the time allows."""

import statistics
import time
from typing import NamedTuple

import torch
from omegaconf import OmegaConf

from fit.data.datamodule import DataModule
from fit.doctor.case import Case
from fit.model.start import build_stack
from fit.training.recipe import build_recipe
from fit.training.stepper import Stepper

SEEDS = 16


class Trial(NamedTuple):
    """What other start values gave after so many epochs: the part that was far better, the best loss, and how to get it."""

    seeds: int
    better: float
    epochs: int
    loss: float
    here: float
    change: dict[str, object]


def trial(case: Case) -> Trial | None:
    """Train from other seeds; None where they are no better, or the time does not reach a look of the run."""
    began = time.perf_counter()
    cfgs = [case.cfg.copy() for _ in range(SEEDS)]
    change: dict[str, object] = {} if isinstance(case.cfg.model.init, str) else {"model.init": "default"}
    for number, cfg in enumerate(cfgs):
        cfg.seed = case.cfg.seed + 1 + number
        for key, value in change.items():
            OmegaConf.update(cfg, key, value, merge=False)
    dtype = torch.float64 if case.cfg.trainer.precision == "64-true" else torch.float32
    with torch.inference_mode(False), torch.no_grad():
        data = DataModule([case.problem] * SEEDS, [cfg.seed for cfg in cfgs], dtype)
        stack, recipe = build_stack(cfgs, data.sizes, dtype), build_recipe(cfgs)
        stack.theta.requires_grad_(False)
        stepper = Stepper(stack, recipe)
        rates = stepper.rates_ahead(len(data.batches), case.cfg.trainer.max_epochs)
        looks = [row for row in case.history if row["epoch"] > 0]
        reached = None
        for look in looks:
            while stepper.epoch < look["epoch"] and time.perf_counter() - began < case.seconds:
                stepper.train_epoch(data.batches, rates)
            if stepper.epoch < look["epoch"]:
                break
            reached = look
        if reached is None:
            return None
        region = data.regions[0]
        error = stack(region.inputs) - region.targets
        losses = (case.loss.value(error).sum((1, 2)) * case.loss.weight(error)).tolist()
    here = reached["train/loss"]
    better = [loss for loss in losses if loss < 0.5 * here]
    if not better:
        return None
    best = min(better)
    seed = cfgs[losses.index(best)].seed
    return Trial(
        SEEDS,
        len(better) / SEEDS,
        int(reached["epoch"]),
        best,
        here,
        change | ({"seed": seed} if not change or statistics.median(losses) > 0.5 * here else {}),
    )
