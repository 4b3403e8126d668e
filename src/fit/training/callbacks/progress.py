"""One progress bar over epochs, of a run or of a whole sweep."""

import multiprocessing
import sys
from typing import NoReturn, Self

from lightning.pytorch import Callback, LightningModule, Trainer
from tqdm import tqdm

from fit.training.module import StackModule


class Bar:
    """Counts the epochs of all runs; nothing at all when the output is neither a terminal nor a notebook.

    A process that trains beside others, as joblib's do, has none either: bars would overwrite each other.
    """

    def __init__(self, runs: int, epochs: int, shown: bool = True) -> None:
        """Take the number of runs that the bar is of, and of all their epochs."""
        self.runs = runs
        self.ended = 0
        self.bar: tqdm[NoReturn] | None = None
        watched = sys.stderr is not None and (sys.stderr.isatty() or "ipykernel" in sys.modules)
        if shown and watched and multiprocessing.parent_process() is None:
            self.bar = tqdm(total=epochs, unit="epoch", leave=False, dynamic_ncols=True, smoothing=0.05)

    def __enter__(self) -> Self:
        """Leave a clean terminal behind."""
        return self

    def __exit__(self, *exception: object) -> None:
        """Leave a clean terminal behind."""
        self.close()

    def advance(self, epochs: int) -> None:
        """Count epochs that were trained."""
        if self.bar is not None:
            self.bar.update(epochs)

    def end(self, epochs_left: int) -> None:
        """Count a run that ended, with epochs that it will not need any more."""
        self.ended += 1
        if self.bar is not None and epochs_left:
            self.bar.total = (self.bar.total or 0) - epochs_left
            self.bar.refresh()

    def show(self, text: str) -> None:
        """Show how it goes."""
        if self.bar is not None:
            self.bar.set_postfix_str(text)

    def close(self) -> None:
        """Remove the bar from the terminal."""
        if self.bar is not None:
            self.bar.close()


class Progress(Callback):
    """Moves a bar: with loss and validation error of a single run, or how many jobs are done and members alive."""

    def __init__(self, bar: Bar) -> None:
        """Take the bar that this callback moves."""
        self.bar = bar

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Count from here."""
        assert isinstance(pl_module, StackModule)
        module = pl_module
        self.counted = 0
        module.on_epoch = lambda: self.count(module)
        self.count(module)

    def count(self, module: StackModule) -> None:
        """Count the epochs that were trained since the last time."""
        self.bar.advance((module.engine.epoch - self.counted) * len(module.runs))
        self.counted = module.engine.epoch

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Show how it goes."""
        assert isinstance(pl_module, StackModule)
        if trainer.sanity_checking:
            return
        if self.bar.runs > 1:
            for run in pl_module.ended:
                self.bar.end(run.max_epochs - pl_module.engine.epoch)
            alive = pl_module.stack.members
            self.bar.show(f"{self.bar.ended}/{self.bar.runs} done, {alive} training")
            return
        row = pl_module.row(pl_module.runs[0])
        self.bar.show(f"loss {row['train/loss']:.3g}, val rmse {row['val/rmse']:.3g}")
        if pl_module.ended:
            self.bar.close()  # before the results are printed

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Remove the bar of a single run before its results are printed."""
        if self.bar.runs == 1:
            self.bar.close()
