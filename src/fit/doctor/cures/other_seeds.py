"""The same training from other start values: all seeds as one stack, for as long as time allows."""

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
# A start is better with less than this fraction of the run's loss, and worth prescribing with less than the second.
BETTER, FAR_BETTER = 0.5, 0.2
# The fraction of a diagnosis's time that this may take. It is estimated from the work, so that the result is always the
# same: the time of a step and of each product of a row and a weight. A slower machine stops at the time limit.
TIME_FRACTION = 0.5
SECONDS_PER_STEP, SECONDS_PER_PRODUCT = 5e-4, 4e-10


class OtherSeeds(NamedTuple):
    """The losses of other `seeds` after `epochs`.

    `better` is the fraction of seeds far better than the run, `loss` the best loss and `seed` its seed, `here` the
    run's own loss at that epoch.
    """

    seeds: int
    better: float
    epochs: int
    loss: float
    here: float
    seed: int


def try_other_seeds(case: Case) -> OtherSeeds | None:
    """Train from other seeds; None if none is far better, or time does not suffice for one evaluation of the run."""
    products = SEEDS * len(case.problem.train.inputs) * case.network.parameters
    epochs = int(
        TIME_FRACTION * case.time_limit / (SECONDS_PER_STEP * case.steps_per_epoch + SECONDS_PER_PRODUCT * products)
    )
    evaluations = [row for row in case.history if 0 < row["epoch"] <= epochs]
    if not evaluations:
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
        for row in evaluations:
            while engine.epoch < row["epoch"] and time.perf_counter() - began < case.time_limit:
                engine.train(data.batches, int(row["epoch"]))
            if engine.epoch < row["epoch"]:
                break
            reached = row
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
