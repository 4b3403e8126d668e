"""The Lightning trainer of a stack, with its callbacks and loggers."""

import logging
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress

import torch
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch import Callback, Trainer
from lightning.pytorch.loggers import Logger, TensorBoardLogger
from omegaconf import DictConfig

from fit.data.datamodule import DataModule
from fit.errors import FitError
from fit.interruption import Interruption
from fit.settings.build import build, find_class
from fit.training.callbacks.checkpoints import Checkpoints
from fit.training.callbacks.early_stopping import EarlyStopping
from fit.training.callbacks.endings import Endings
from fit.training.callbacks.progress import Bar, Progress
from fit.training.callbacks.record import Record
from fit.training.callbacks.signals import Signals
from fit.training.callbacks.tensorboard import TensorBoard
from fit.training.engines import choose_engine
from fit.training.kernel import Kernel
from fit.training.module import StackModule
from fit.training.recipe import build_recipe
from fit.training.run import Run, assign_members


def prepare(cfg: DictConfig) -> torch.dtype:
    """Set torch and Lightning up for a stack, and return the precision of its numbers."""
    torch.set_num_threads(cfg.trainer.num_threads or 1)
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    # Lightning's own use of a torch function that torch is about to rename.
    warnings.filterwarnings("ignore", message=".*LeafSpec.*")
    return torch.float64 if cfg.trainer.precision == "64-true" else torch.float32


@contextmanager
def surroundings_kept() -> Iterator[None]:
    """Leave torch's threads, the warnings and Lightning's logging of a Python that trains in passing as they were."""
    threads, logger = torch.get_num_threads(), logging.getLogger("lightning.pytorch")
    level = logger.level
    try:
        with warnings.catch_warnings():
            yield
    finally:
        torch.set_num_threads(threads)
        logger.setLevel(level)


def build_module(runs: Sequence[Run], stop: Callable[[], bool]) -> StackModule:
    """Build the stack of some runs, with what trains it; `stop` is asked every few milliseconds whether to end."""
    dtype = prepare(runs[0].cfg)
    members = assign_members(runs)
    cfgs = [run.cfg for run in members]
    data = DataModule([run.problem for run in members], [cfg.seed for cfg in cfgs], dtype)
    model, recipe = runs[0].model, build_recipe(cfgs)
    stack = model.stack(model.starts([cfg.model for cfg in cfgs], [cfg.seed for cfg in cfgs]).to(dtype))
    # It refuses before Lightning is set up.
    if choose_engine(stack, recipe, stack.theta.device).kind is not Kernel and stack.wide:
        torch.set_num_threads(recipe.threads)
    return StackModule(stack, recipe, data, runs, stop)


def build_trainer(
    runs: Sequence[Run],
    interruption: Interruption,
    bar: Bar,
    board: TensorBoard,
    checkpoints: Checkpoints,
    finish: Callable[[Run], object],
) -> Trainer:
    """Build what trains a stack: Lightning's trainer with our callbacks; `finish` is called as each run ends."""
    first = runs[0].cfg
    callbacks: list[Callback] = [Signals(interruption), Record(), board]
    if first.early_stopping.patience is not None:
        callbacks.append(EarlyStopping(first.early_stopping.patience))
    # Checkpoints after what is written down, so that none knows of an evaluation that is not.
    callbacks += [Progress(bar), checkpoints, Endings(finish)]
    try:
        return Trainer(
            accelerator=first.trainer.accelerator,
            devices=1,
            precision=first.trainer.precision,
            max_epochs=-1,  # blocks, not passes: the module ends the run
            num_sanity_val_steps=-1,  # the evaluation of the start values
            logger=False,  # ours log epochs, and outlive the fit
            callbacks=callbacks,
            log_every_n_steps=1,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
        )
    except (MisconfigurationException, RuntimeError) as error:
        raise FitError(
            f"trainer.accelerator={first.trainer.accelerator} cannot be used: {str(error).splitlines()[0]}"
        ) from None


def build_loggers(run: Run) -> list[Logger]:
    """Build a run's loggers; TensorBoard's forgets what a resumed run logged after its checkpoint."""
    loggers = []
    for name, settings in run.cfg.logger.items():
        kind = find_class(f"logger.{name}", settings, Logger)  # type: ignore[type-abstract]
        resumed = run.stored is not None and issubclass(kind, TensorBoardLogger)
        more = {"purge_step": run.stored["epoch"] + 1} if run.stored is not None and resumed else {}
        loggers.append(build(kind, f"logger.{name}", settings, **more))
    return loggers


def finalize(run: Run) -> None:
    """Close a run's loggers; what they cannot write any more has been reported before."""
    for logger in run.loggers:
        with suppress(OSError):
            logger.finalize("success")
