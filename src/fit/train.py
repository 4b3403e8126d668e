"""The main job: `python -m fit.train model=mlp_gelu data=xy_square`, from configuration to run folder."""

import logging
import math
import time

from omegaconf import DictConfig

from fit.config.command import alone, command, run_path
from fit.config.guard import refusal
from fit.config.rules import check
from fit.errors import FitError
from fit.folder import RunFolder

log = logging.getLogger("fit")


def main(cfg: DictConfig) -> float:
    """Fit, tell, and return the number that a sweep compares: infinity where the loss stopped being finite."""
    folder = RunFolder(run_path())
    try:
        check(cfg)
        if cfg.resume is not None:
            folder.write_config(cfg)
        metrics = train(cfg, folder)
    except FitError as error:
        folder.discard_if_untrained()
        if alone():
            raise SystemExit(refusal(error)) from None
        raise
    value = metrics.get(cfg.optimized_metric)
    if metrics["diverged"] or not isinstance(value, int | float):
        return math.inf
    return float(value)


def train(cfg: DictConfig, folder: RunFolder) -> dict[str, object]:
    """Fit the network that `cfg` describes, write everything into `folder`, and return what metrics.json holds.

    Ctrl-C and SIGTERM end it after the present pass, saved, with the exit code that shells give them.
    """
    from fit.callbacks.interruption import Interruption
    from fit.data.datamodule import DataModule, build_dataset
    from fit.model.start import build_stack
    from fit.report.summary import write_summary
    from fit.report.text import after, before
    from fit.trainer import build_trainer, prepare
    from fit.training.module import StackModule
    from fit.training.recipe import build_recipe

    started = time.perf_counter()
    data = DataModule([build_dataset(cfg.data)], [cfg.seed], prepare(cfg))
    stack = build_stack([cfg], data.sizes, data.dtype)
    interruption = Interruption()
    module = StackModule(stack, build_recipe([cfg]), data, stop=interruption)
    rig = build_trainer([cfg], [folder], module, interruption)
    problem = data.problems[0]
    log.info(before(cfg, folder, problem, stack.sizes, rig.trainer.strategy.root_device))
    try:
        fitting = time.perf_counter()
        rig.trainer.fit(module, datamodule=data)
        seconds = rig.checkpoints.seconds_before + time.perf_counter() - fitting
        if interruption.received is not None and not module.finished:
            log.info(
                "Interrupted after epoch %d. Go on: python -m fit.train resume=%s", module.stepper.epoch, folder.path
            )
            raise SystemExit(128 + interruption.received)
        outcome = module.outcome(0, seconds)
        metrics = write_summary(cfg, folder, problem, outcome, started)
        rig.board.finish(0, folder.fit_figure.read_bytes(), module.look.rows[0])
    finally:
        for logger in rig.loggers:
            logger.finalize("success")
    log.info(after(folder, problem, outcome, metrics))
    return metrics


if __name__ == "__main__":
    command(main)
