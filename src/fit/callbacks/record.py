"""Writing every look down: history.csv and the loggers."""

import time
from collections.abc import Sequence
from itertools import chain

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.loggers import Logger

from fit.folder import RunFolder
from fit.training.module import StackModule

# Who watches sees what is at most so old.
SECONDS_BETWEEN = 2.0


class Record(Callback):
    """Adds a row for each look of each member; the step of every logger is the epoch."""

    def __init__(self, folders: Sequence[RunFolder], loggers: Sequence[Sequence[Logger]]) -> None:
        """Take each member's run folder and loggers."""
        self.folders = folders
        self.loggers = loggers
        self._saved_at = 0.0

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write the look down, unless it was before the run was resumed, or is not one of those planned."""
        assert isinstance(pl_module, StackModule)
        if not pl_module.on_grid or pl_module.stepper.epoch <= pl_module.rows_before[0].get("epoch", -1):
            return
        for folder, loggers, row in zip(self.folders, self.loggers, pl_module.look.rows, strict=True):
            folder.append_history(row)
            for logger in loggers:
                logger.log_metrics({tag(key): value for key, value in row.items() if key != "epoch"}, int(row["epoch"]))
        if time.perf_counter() - self._saved_at >= SECONDS_BETWEEN:
            self._saved_at = time.perf_counter()
            for logger in chain.from_iterable(self.loggers):
                logger.save()


def tag(key: str) -> str:
    """Turn `train/loss` into `loss/train`: TensorBoard draws together what stands before the slash."""
    region, _, error = key.partition("/")
    return f"{error}/{region}" if error and region != "grad_norm" else key
