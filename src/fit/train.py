"""The main job: `python -m fit.train model=mlp_gelu data=xy_square`, from configuration to run folder."""

import logging
import math
import time

from omegaconf import DictConfig

from fit.config.command import alone, command, run_path
from fit.config.interruption import Interruption, StopNow
from fit.config.rules import check
from fit.errors import FitError, refuse
from fit.folder import RunFolder

log = logging.getLogger("fit")


def main(cfg: DictConfig) -> float:
    """Fit, tell, and return the number that a sweep compares: infinity where the loss stopped being finite."""
    folder = RunFolder(run_path())
    try:
        check(cfg)
        with Interruption() as interruption, folder.locked():
            metrics = train(cfg, folder, interruption)
    except StopNow:
        log.info("Stopped at once. Go on: python -m fit.train resume=%s", folder.path)
        raise SystemExit(130) from None
    except (FitError, OSError, MemoryError) as error:
        if cfg.resume is None:
            folder.discard_if_untrained()
        told = error
        if isinstance(error, OSError):
            told = FitError(f"{error.filename or folder.path} cannot be read or written: {error.strerror}.")
        if alone():
            raise SystemExit(refuse(told)) from None
        raise told from None
    if interruption() and not metrics:
        assert interruption.received is not None
        raise SystemExit(128 + interruption.received)
    value = metrics[cfg.optimized_metric]
    return float(value) if isinstance(value, float) and not metrics["diverged"] else math.inf


def train(cfg: DictConfig, folder: RunFolder, interruption: Interruption) -> dict[str, object]:
    """Fit the network that `cfg` describes, write everything into `folder`, and return what metrics.json holds.

    An interruption ends it after the present pass: the checkpoint is saved, and nothing is returned.
    """
    from fit.data.datamodule import DataModule, build_dataset
    from fit.model.start import build_stack
    from fit.report.summary import write_summary
    from fit.report.text import after, before
    from fit.trainer import build_trainer, prepare
    from fit.training.module import StackModule
    from fit.training.recipe import build_recipe

    started = time.perf_counter()
    data = DataModule([build_dataset(cfg.data)], [cfg.seed], prepare(cfg))
    data.check_region(cfg.optimized_metric)
    stack = build_stack([cfg], data.sizes, data.dtype)
    module = StackModule(stack, build_recipe([cfg]), data, stop=interruption)
    rig = build_trainer([cfg], [folder], module, interruption)
    problem = data.problems[0]
    log.info(before(cfg, folder, problem, stack.sizes, rig.trainer.strategy.root_device))
    if cfg.resume is not None:
        folder.write_config(cfg)
    try:
        fitting = time.perf_counter()
        rig.trainer.fit(module, datamodule=data)
        before_this = rig.checkpoints.seconds_before
        if interruption() and not module.finished:
            log.info(
                "Interrupted after epoch %d. Go on: python -m fit.train resume=%s", module.stepper.epoch, folder.path
            )
            return {}
        outcome = module.outcome(0, before_this + time.perf_counter() - fitting)
        metrics = write_summary(cfg, folder, problem, outcome, started - before_this)
        rig.board.finish(0, folder.fit_figure.read_bytes(), module.look.rows[0])
    finally:
        for logger in rig.loggers:
            logger.finalize("success")
    log.info(after(folder, problem, outcome, metrics))
    return metrics


if __name__ == "__main__":
    command(main)
