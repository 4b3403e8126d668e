"""One progress bar over epochs."""

import sys
from typing import NoReturn

from lightning.pytorch import Callback, LightningModule, Trainer
from tqdm import tqdm

from fit.training.module import StackModule


class Progress(Callback):
    """A bar with loss and validation error; nothing at all when the output is not a terminal."""

    bar: "tqdm[NoReturn] | None" = None

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Open the bar."""
        assert isinstance(pl_module, StackModule)
        if sys.stderr is None or not sys.stderr.isatty():
            return
        self.bar = bar = tqdm(
            total=pl_module.recipe.max_epochs,
            initial=pl_module.stepper.epoch,
            unit="epoch",
            leave=False,
            dynamic_ncols=True,
        )
        pl_module.on_epoch = bar.update

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Show loss and error."""
        assert isinstance(pl_module, StackModule)
        if self.bar is not None:
            row = pl_module.look.rows[0]
            self.bar.set_postfix_str(f"loss {row['train/loss']:.3g}, val rmse {row['val/rmse']:.3g}")

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Close the bar."""
        if self.bar is not None:
            self.bar.close()
