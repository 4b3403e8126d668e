"""Ending runs that get no better."""

from lightning.pytorch import Callback, LightningModule, Trainer

from fit.training.module import StackModule


class EarlyStopping(Callback):
    """Stops a run whose `val/loss` has not been lower than its best for `patience` epochs."""

    def __init__(self, patience: int) -> None:
        """Take the patience in epochs."""
        self.patience = patience

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Compare this evaluation with the best one."""
        assert isinstance(pl_module, StackModule)
        for run in pl_module.due_runs:
            if trainer.sanity_checking and run.stored is None:
                continue
            run.stopped |= pl_module.engine.epoch - run.best.epoch >= self.patience
