"""Writing every look down: history.csv and the loggers."""

import time

from lightning.pytorch import Callback, LightningModule, Trainer

from fit.training.module import StackModule

# Who watches sees what is at most so old.
SECONDS_BETWEEN = 2.0


class Record(Callback):
    """Adds a row for each look of each run; the step of every logger is the epoch."""

    _saved_at = 0.0

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write the look down, unless it was before the run was resumed, or is not one of those planned."""
        assert isinstance(pl_module, StackModule)
        epoch = pl_module.stepper.epoch
        for run in pl_module.on_grid:
            if epoch <= run.recorded:
                continue
            row = pl_module.row(run)
            with run.guarded():
                run.folder.append_history(row)
                for logger in run.loggers:
                    logger.log_metrics({tag(key): value for key, value in row.items() if key != "epoch"}, epoch)
            run.recorded = epoch
        if time.perf_counter() - self._saved_at >= SECONDS_BETWEEN:
            for run in pl_module.runs:
                with run.guarded():
                    for logger in run.loggers:
                        logger.save()
            self._saved_at = time.perf_counter()


def tag(key: str) -> str:
    """Turn `train/loss` into `loss/train`: TensorBoard draws together what stands before the slash."""
    region, _, error = key.partition("/")
    return f"{error}/{region}" if error and region != "grad_norm" else key
