"""What TensorBoard shows beside curves: weights, the fit as a picture, the configuration, the HParams table."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from io import BytesIO

import numpy as np
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.loggers import TensorBoardLogger
from PIL import Image

from fit.messages import class_name, option_name, shown
from fit.settings.identity import plain
from fit.training.callbacks.record import tag
from fit.training.module import StackModule
from fit.training.run import Run

# Looks between two at which weights and fit are shown.
EVALUATIONS_APART = 5
# Of a histogram; TensorBoard's own 1,549 take as long as dozens of steps.
BINS = 30
LARGEST = 1e15
# A picture of the fit takes as long as hundreds of steps: at most this part of the time, by how long the last one took.
PART_FOR_PICTURES = 0.15
FIRST_GUESS_SECONDS = 0.2
# What TensorBoard's table of hyperparameters shows of every run; a sweep adds what it sweeps.
HPARAMS = (
    "model.hidden",
    "model.activation",
    "model.output_activation",
    "model.dropout",
    "model.gain",
    "optimizer.lr",
    "optimizer.weight_decay",
    "loss",
    "regularization.l1",
    "regularization.l2",
    "trainer.gradient_clip_val",
    "trainer.max_epochs",
    "trainer.precision",
    "data.batch_size",
    "data.scale_inputs",
    "data.scale_targets",
    "seed",
)
METRICS = ("val/loss", "val/rmse", "val/max_error", "val/r2", "train/loss", "train/rmse")


class TensorBoard(Callback):
    """Adds what is TensorBoard's own to the loggers that are TensorBoard's; others are left alone."""

    def __init__(
        self,
        runs: Sequence[Run],
        swept: Sequence[str],
        draw: Callable[[Run], np.ndarray],
    ) -> None:
        """Take the runs, what a sweep varies, and what draws the fit of a run, as `[height, width, 3]` bytes."""
        self.runs = runs
        self.hparams = {run: hparams(run, swept) for run in runs if any(boards(run))}
        self.draw = draw

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Show the configuration."""
        self._drawing, self._picture = 0.0, FIRST_GUESS_SECONDS
        self._started = time.perf_counter()
        for run in self.runs:
            with run.guarded():
                for board in boards(run):
                    board.hparams.update(self.hparams[run])
                    config = run.folder.config.read_text(encoding="utf-8")
                    board.experiment.add_text("config", f"```yaml\n{config}\n```", 0)

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Show the weights, and the fit, every few evaluations."""
        assert isinstance(pl_module, StackModule)
        if trainer.sanity_checking:
            return
        ended, epoch = pl_module.ended, pl_module.engine.epoch
        # By the epoch, not by the evaluations of a stack, which depend on the runs that share it.
        chosen = [
            run for run in pl_module.due_runs if epoch // run.evaluate_every % EVALUATIONS_APART == 0 or run in ended
        ]
        self.show_weights(pl_module, chosen)
        self.show_fits([run for run in chosen if run.drawn and run not in ended], epoch)  # `finish` shows the end

    def show_weights(self, module: StackModule, runs: Sequence[Run]) -> None:
        """Show each layer's weights as a histogram, if they are finite and not beyond what a histogram can hold."""
        theta, epoch = module.stack.theta.data, module.engine.epoch
        for name, place in module.stack.weights().items():
            sound = (theta[:, place].abs() < LARGEST).all(1).tolist()
            for run in runs:
                with run.guarded():
                    for board in boards(run) if sound[run.member] else ():
                        board.experiment.add_histogram(f"weights/{name}", theta[run.member, place], epoch, bins=BINS)

    def show_fits(self, runs: Sequence[Run], epoch: int) -> None:
        """Show fits as pictures, unless these have taken their part of the time already."""
        began = time.perf_counter()
        if not runs or self._drawing + self._picture > PART_FOR_PICTURES * (began - self._started):
            return
        for run in runs:
            for board in boards(run):
                board.experiment.add_image("fit", self.draw(run), epoch, dataformats="HWC")
        self._picture = time.perf_counter() - began
        self._drawing += self._picture

    def finish(self, run: Run, picture: bytes | None, row: Mapping[str, float], diagnosis: str) -> None:
        """Show the final fit, a PNG file, and the diagnosis, and fill a row of the HParams table.

        Its columns are the same in every run, filled once.
        """
        epoch = int(row["epoch"])
        for board in boards(run):
            if picture is not None:
                pixels = np.asarray(Image.open(BytesIO(picture)).convert("RGB"))
                board.experiment.add_image("fit", pixels, epoch, dataformats="HWC")
            board.experiment.add_text("diagnosis", diagnosis, epoch)
            board.log_hyperparams(dict(self.hparams[run]), {tag(key): row[key] for key in METRICS}, epoch)


def boards(run: Run) -> Iterator[TensorBoardLogger]:
    """Yield a run's loggers that are TensorBoard's."""
    return (logger for logger in run.loggers if isinstance(logger, TensorBoardLogger))


def hparams(run: Run, swept: Sequence[str]) -> Mapping[str, object]:
    """Return the hyperparameters that every run of a sweep has, for TensorBoard's table."""
    settings = plain(run.cfg)
    named = {
        "data": option_name(run.cfg.data._target_),
        "optimizer": class_name(run.cfg.optimizer._target_),
        "scheduler": class_name(run.cfg.scheduler._target_),
    }
    keys = dict.fromkeys((*HPARAMS, *(key for key in swept if key not in named)))
    groups = run.folder.read_overrides() if set(swept) - settings.keys() else {}
    values = {key: settings.get(key, groups.get(key)) for key in keys}
    return named | {
        key: value if isinstance(value, int | float | str) else shown(value) for key, value in values.items()
    }
