"""What TensorBoard shows beside curves: weights, the fit as a picture, the configuration, the HParams table."""

import time
from collections.abc import Callable, Mapping, Sequence
from io import BytesIO

import numpy as np
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.loggers import Logger, TensorBoardLogger
from matplotlib.figure import Figure
from PIL import Image

from fit.callbacks.record import tag
from fit.report.figures import to_pixels
from fit.training.module import StackModule

# Looks between two at which weights and fit are shown.
LOOKS_APART = 5
# A picture of the fit takes as long as hundreds of steps: at most this part of the time, by how long the last one took.
PART_FOR_PICTURES = 0.15
FIRST_GUESS_SECONDS = 0.2
METRICS = ("val/loss", "val/rmse", "val/max_error", "val/r2", "train/loss", "train/rmse")


class TensorBoard(Callback):
    """Adds what is TensorBoard's own to the loggers that are TensorBoard's; others are left alone."""

    def __init__(
        self,
        loggers: Sequence[Sequence[Logger]],
        draw: Callable[[int], Figure],
        configs: Sequence[str],
        hparams: Sequence[Mapping[str, object]],
    ) -> None:
        """Take each member's loggers, configuration as text and hyperparameters, and `draw`, its figure of the fit."""
        boards = [[each for each in mine if isinstance(each, TensorBoardLogger)] for mine in loggers]
        self.boards = [(member, board) for member, mine in enumerate(boards) for board in mine]
        self.draw = draw
        self.configs = configs
        self.hparams = hparams

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Show the configuration."""
        self._looks, self._drawing, self._picture = 0, 0.0, FIRST_GUESS_SECONDS
        self._started = time.perf_counter()
        for member, board in self.boards:
            board.hparams.update(self.hparams[member])
            board.experiment.add_text("config", f"```yaml\n{self.configs[member]}\n```", 0)

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Show the weights, and the fit every few looks."""
        assert isinstance(pl_module, StackModule)
        if trainer.sanity_checking or not self.boards:
            return
        self._looks += 1
        if self._looks % LOOKS_APART and not trainer.should_stop:
            return
        epoch = pl_module.stepper.epoch
        for member, board in self.boards:
            for number, layer in enumerate(pl_module.stack.layers(pl_module.stack.theta.data), start=1):
                weight = layer.weight[member]
                if weight.isfinite().all():
                    board.experiment.add_histogram(f"weights/layer_{number}", weight, epoch)
        began = time.perf_counter()
        if trainer.should_stop:
            return  # `finish` shows the end
        if self._drawing + self._picture <= PART_FOR_PICTURES * (began - self._started):
            for member, board in self.boards:
                board.experiment.add_image("fit", to_pixels(self.draw(member)), epoch, dataformats="HWC")
            self._picture = time.perf_counter() - began
            self._drawing += self._picture

    def finish(self, member: int, picture: bytes, row: Mapping[str, float]) -> None:
        """Show the final fit, a PNG file, and fill a row of the HParams table: the same columns in every run, once."""
        epoch = int(row["epoch"])
        pixels = np.asarray(Image.open(BytesIO(picture)).convert("RGB"))
        for owner, board in self.boards:
            if owner == member:
                board.experiment.add_image("fit", pixels, epoch, dataformats="HWC")
                board.log_hyperparams(dict(self.hparams[member]), {tag(key): row[key] for key in METRICS}, epoch)
