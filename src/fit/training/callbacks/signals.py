"""Keeping the signals from Lightning, which would end a run without a word."""

from lightning.pytorch import Callback, LightningModule, Trainer

from fit.interruption import Interruption


class Signals(Callback):
    """Takes the signals back after Lightning has taken them over."""

    def __init__(self, interruption: Interruption) -> None:
        """Take who is to receive them."""
        self.interruption = interruption

    def on_sanity_check_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Take them before the first evaluation."""
        self.interruption.install_handlers()

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Take them before the first step, if there was no evaluation before it."""
        self.interruption.install_handlers()
