"""Ending a run that gets no better."""

from lightning.pytorch import Callback, LightningModule, Trainer

from fit.training.module import StackModule


class EarlyStopping(Callback):
    """Stops when no member's `val/loss` has been lower than its best for `patience` epochs."""

    def __init__(self, patience: int) -> None:
        """Take the patience in epochs."""
        self.patience = patience

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Compare this look with the best one."""
        assert isinstance(pl_module, StackModule)
        epoch = pl_module.stepper.epoch
        if pl_module.on_grid and all(epoch - best.epoch >= self.patience for best in pl_module.best):
            trainer.should_stop = True
