"""The Lightning trainer of a stack, with its callbacks and loggers."""

import logging
import warnings
from collections.abc import Sequence
from typing import NamedTuple

import torch
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch import Callback, Trainer
from lightning.pytorch.loggers import Logger, TensorBoardLogger
from omegaconf import DictConfig, OmegaConf

from fit.callbacks.checkpoints import Checkpoints, Member, load_stored
from fit.callbacks.early_stopping import EarlyStopping
from fit.callbacks.progress import Progress
from fit.callbacks.record import Record
from fit.callbacks.signals import Signals
from fit.callbacks.tensorboard import TensorBoard
from fit.config.build import build, find_class
from fit.config.interruption import Interruption
from fit.errors import FitError
from fit.folder import RunFolder
from fit.report.figures import draw_fit
from fit.report.summary import drawing
from fit.training.module import StackModule


class Rig(NamedTuple):
    """A trainer, and those of its callbacks and loggers that are needed after the fit."""

    trainer: Trainer
    checkpoints: Checkpoints
    board: TensorBoard
    loggers: list[Logger]


def prepare(cfg: DictConfig) -> torch.dtype:
    """Set torch and Lightning up for a run, and return the precision of its numbers."""
    torch.set_num_threads(cfg.trainer.num_threads)
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    # Lightning's own use of a torch function that torch is about to rename.
    warnings.filterwarnings("ignore", message=".*LeafSpec.*")
    return torch.float64 if cfg.trainer.precision == "64-true" else torch.float32


def build_trainer(
    cfgs: Sequence[DictConfig], folders: Sequence[RunFolder], module: StackModule, interruption: Interruption
) -> Rig:
    """Build what trains a stack: Lightning's trainer with our callbacks."""
    settings = cfgs[0].trainer
    stored = load_stored(folders, module)
    checkpoints = Checkpoints(folders, [describe(cfg, module, member) for member, cfg in enumerate(cfgs)], stored)
    loggers = [build_loggers(cfg, None if stored is None else stored[0]["epoch"]) for cfg in cfgs]
    callbacks: list[Callback] = [
        Signals(interruption),
        Record(folders, loggers),
        board := TensorBoard(
            loggers,
            lambda member: draw_fit(
                drawing(module.data.problems[member], lambda inputs: module.predict(member, inputs))
            ),
            [OmegaConf.to_yaml(cfg) for cfg in cfgs],
            [hparams(cfg) for cfg in cfgs],
        ),
        Progress(),
    ]
    if cfgs[0].early_stopping.patience is not None:
        callbacks.append(EarlyStopping(cfgs[0].early_stopping.patience))
    # Last, so that a checkpoint never knows of a look that is not written down.
    callbacks.append(checkpoints)
    try:
        trainer = Trainer(
            accelerator=settings.accelerator,
            devices=1,
            precision=settings.precision,
            max_epochs=-1,  # blocks, not passes: the module ends the run
            num_sanity_val_steps=-1,  # the look at the start values
            logger=False,  # ours log epochs, and outlive the fit
            callbacks=callbacks,
            log_every_n_steps=1,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
        )
    except (MisconfigurationException, RuntimeError) as error:
        raise FitError(
            f"trainer.accelerator={settings.accelerator} cannot be used: {str(error).splitlines()[0]}"
        ) from None
    return Rig(trainer, checkpoints, board, [logger for each in loggers for logger in each])


def build_loggers(cfg: DictConfig, epoch: int | None) -> list[Logger]:
    """Build a run's loggers; TensorBoard's forgets what a run resumed at `epoch` logged after it."""
    loggers = []
    for name, settings in cfg.logger.items():
        kind = find_class(f"logger.{name}", settings, Logger)  # type: ignore[type-abstract]
        resumed = {"purge_step": epoch + 1} if epoch is not None and issubclass(kind, TensorBoardLogger) else {}
        loggers.append(build(kind, f"logger.{name}", settings, **resumed))
    return loggers


def describe(cfg: DictConfig, module: StackModule, member: int) -> Member:
    """Return what of a member a checkpoint keeps beside its weights, so that it can be used on its own."""
    problem = module.data.problems[member]
    config = OmegaConf.to_container(cfg, resolve=False)
    assert isinstance(config, dict)
    return Member(
        sizes=list(module.stack.sizes),
        input_scaler=dict(problem.input_scaler._asdict()),
        target_scaler=dict(problem.target_scaler._asdict()),
        inputs=list(problem.dataset.inputs),
        targets=list(problem.dataset.targets),
        config={str(key): value for key, value in config.items()},
    )


def hparams(cfg: DictConfig) -> dict[str, object]:
    """Return the hyperparameters that every run has, for TensorBoard's table."""
    return {
        "data": cfg.data._target_.split(".")[-2],
        "hidden": str(list(cfg.model.hidden)),
        "activation": cfg.model.activation,
        "output_activation": cfg.model.output_activation,
        "init": str(cfg.model.init),
        "dropout": cfg.model.dropout,
        "gain": cfg.model.gain,
        "optimizer": cfg.optimizer._target_.rsplit(".", 1)[1],
        "lr": cfg.optimizer.lr,
        "weight_decay": cfg.optimizer.get("weight_decay", 0.0),
        "scheduler": cfg.scheduler._target_.rsplit(".", 1)[1],
        "loss": cfg.loss,
        "l1": cfg.regularization.l1,
        "l2": cfg.regularization.l2,
        "clip_val": str(cfg.trainer.gradient_clip_val),
        "batch_size": str(cfg.data.get("batch_size")),
        "scale_inputs": str(cfg.data.get("scale_inputs")),
        "scale_targets": str(cfg.data.get("scale_targets")),
        "max_epochs": cfg.trainer.max_epochs,
        "precision": cfg.trainer.precision,
        "seed": cfg.seed,
    }
