"""Recording every evaluation: history.csv and the loggers."""

import time

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.loggers import Logger, TensorBoardLogger
from tensorboard.compat.proto.summary_pb2 import Summary  # type: ignore[import-untyped]

from fit.training.module import StackModule

# Who watches sees what is at most so old.
SECONDS_BETWEEN = 2.0


class Record(Callback):
    """Adds a row for each evaluation of each run; the step of every logger is the epoch."""

    _saved_at = 0.0

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Record the evaluation, unless that was done before the run was resumed, or it is not due."""
        assert isinstance(pl_module, StackModule)
        epoch = pl_module.engine.epoch
        self._record_passes(pl_module)
        for run in pl_module.due_runs:
            if epoch <= run.recorded:
                continue
            row = pl_module.row(run)
            with run.guarded():
                run.folder.append_history(row)
                for logger in run.loggers:
                    log({tag(key): value for key, value in row.items() if key != "epoch"}, logger, epoch)
            run.recorded = epoch
        if time.perf_counter() - self._saved_at >= SECONDS_BETWEEN:
            for run in pl_module.runs:
                with run.guarded():
                    for logger in run.loggers:
                        logger.save()
            self._saved_at = time.perf_counter()

    def _record_passes(self, module: StackModule) -> None:
        """Record the training losses of the passes before the first evaluation."""
        passes = [(epoch, losses.tolist()) for epoch, losses in module.passes]
        module.passes.clear()
        for run in module.runs if passes else ():
            with run.guarded():
                run.folder.append_passes(
                    [{"epoch": epoch, "train/pass_loss": losses[run.member]} for epoch, losses in passes]
                )


def log(values: dict[str, float], logger: Logger, epoch: int) -> None:
    """Log an evaluation; TensorBoard gets it as one event, as one for each number would take ten times as long."""
    if isinstance(logger, TensorBoardLogger):
        scalars = [Summary.Value(tag=key, simple_value=value) for key, value in values.items()]
        logger.experiment.file_writer.add_summary(Summary(value=scalars), epoch)
    else:
        logger.log_metrics(values, epoch)


def tag(key: str) -> str:
    """Turn `train/loss` into `loss/train`: TensorBoard draws together what stands before the slash."""
    region, _, error = key.partition("/")
    return f"{error}/{region}" if error and region != "grad_norm" else key
