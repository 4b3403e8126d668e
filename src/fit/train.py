"""The main job: `python -m fit.train model=mlp_gelu data=xy_square`, from configuration to run folder."""

import logging
import math
import time
from collections.abc import Callable

from omegaconf import DictConfig

from fit.config.command import alone, command, refusal, run_path
from fit.config.rules import check
from fit.errors import FitError
from fit.report.folder import RunFolder

log = logging.getLogger("fit")


def main(cfg: DictConfig) -> float:
    """Fit, tell, and return the number that a sweep compares: infinity where the loss stopped being finite."""
    from fit.training.interruption import Interruption

    folder = RunFolder(run_path())
    try:
        check(cfg)
        with Interruption() as interruption:
            metrics = train(cfg, folder, interruption)
    except FitError as error:
        folder.discard_if_untrained()
        if alone():
            raise SystemExit(refusal(error)) from None
        raise
    if interruption.received is not None:
        log.info("Interrupted. Go on with: python -m fit.train resume=%s", folder.path)
        raise SystemExit(128 + interruption.received)
    value = metrics.get(cfg.optimized_metric)
    if metrics["diverged"] or not isinstance(value, int | float):
        return math.inf
    return float(value)


def train(cfg: DictConfig, folder: RunFolder, stop: Callable[[], bool] = lambda: False) -> dict[str, object]:
    """Fit the network that `cfg` describes, write everything into `folder`, and return what metrics.json holds.

    `stop` is asked after each pass whether to end early; what is there by then is saved and summed up like any end.
    """
    from fit.data.datamodule import DataModule, build_dataset
    from fit.model.start import build_stack
    from fit.report.summary import write_summary
    from fit.report.text import after, before
    from fit.training.module import StackModule
    from fit.training.recipe import build_recipe
    from fit.training.trainer import build_trainer, prepare

    started = time.perf_counter()
    data = DataModule([build_dataset(cfg.data)], [cfg.seed], prepare(cfg))
    stack = build_stack([cfg], data.sizes, data.dtype)
    module = StackModule(stack, build_recipe([cfg]), data, stop)
    checkpoints, trainer = build_trainer([cfg], [folder], module)
    problem = data.problems[0]
    log.info(before(cfg, folder, problem, stack.sizes, trainer.strategy.root_device))
    trainer.fit(module, datamodule=data)
    outcome = module.outcome(0, checkpoints.seconds)
    metrics = write_summary(cfg, folder, problem, outcome, started)
    log.info(after(folder, problem, outcome, metrics))
    return metrics


if __name__ == "__main__":
    command(main)
