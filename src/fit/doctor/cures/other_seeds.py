"""A trial: the same training from other start values, all as one stack, as far as the time allows."""

import time
from dataclasses import replace
from typing import NamedTuple

import torch
from omegaconf import OmegaConf

from fit.data.datamodule import DataModule
from fit.doctor.case import Case
from fit.training.engines import build_engine
from fit.training.recipe import build_recipe

SEEDS = 16
# A start is better that has less than this part of the run's loss, and worth a try with less than that.
BETTER, FAR_BETTER = 0.5, 0.2
# Part of the time for a diagnosis, which is told by the work so that the trial is the same each time: what a step
# takes, and every product of a row and a weight in it. A machine that is slower ends it when all of the time is spent.
TIME_FRACTION = 0.5
SECONDS_PER_STEP, SECONDS_PER_PRODUCT = 5e-4, 4e-10


class OtherSeeds(NamedTuple):
    """What other start values gave after so many epochs: the part far better, the best loss and its seed."""

    seeds: int
    better: float
    epochs: int
    loss: float
    here: float
    seed: int


def try_other_seeds(case: Case) -> OtherSeeds | None:
    """Train from other seeds; None where they are no better, or the time does not reach a look of the run."""
    products = SEEDS * len(case.problem.train.inputs) * case.network.parameters
    epochs = int(
        TIME_FRACTION * case.time_limit / (SECONDS_PER_STEP * case.steps_per_epoch + SECONDS_PER_PRODUCT * products)
    )
    looks = [look for look in case.history if 0 < look["epoch"] <= epochs]
    if not looks:
        return None
    began = time.perf_counter()
    seeds = range(case.cfg.seed + 1, case.cfg.seed + 1 + SEEDS)
    cfg = OmegaConf.create(case.cfg.to_dict())
    dtype = torch.float64 if case.cfg.trainer.precision == "64-true" else torch.float32
    with torch.inference_mode(False), torch.no_grad():
        data = DataModule([case.problem] * SEEDS, list(seeds), dtype)
        stack = case.network.stack(case.network.start_values(*seeds).to(dtype))
        stack.theta.requires_grad_(False)
        recipe = replace(build_recipe([cfg] * SEEDS), seeds=list(seeds), engine="auto")
        engine, reached = build_engine(stack, recipe), None
        rates = engine.rates_ahead(len(data.batches), case.cfg.trainer.max_epochs)
        for look in looks:
            while engine.epoch < look["epoch"] and time.perf_counter() - began < case.time_limit:
                engine.train(data.batches, rates, passes=1)
            if engine.epoch < look["epoch"]:
                break
            reached = look
        if reached is None:
            return None
        error = stack(data.regions[0].inputs) - data.regions[0].targets
        loss = case.network.loss
        losses = (loss.value(error).sum((1, 2)) * loss.weight(error)).tolist()
    here, best = reached["train/loss"], min(losses)
    if best > FAR_BETTER * here:
        return None
    better = sum(each < BETTER * here for each in losses) / SEEDS
    return OtherSeeds(SEEDS, better, int(reached["epoch"]), best, here, seeds[losses.index(best)])
