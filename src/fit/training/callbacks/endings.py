"""Releasing runs that have ended, so that they cost no more time."""

from collections.abc import Callable

from lightning.pytorch import Callback, LightningModule, Trainer

from fit.training.module import StackModule
from fit.training.run import Run


class Endings(Callback):
    """Hands each run that has ended to `finish` and takes it out of the stack."""

    def __init__(self, finish: Callable[[Run], object]) -> None:
        """Take what is done with a run that has ended."""
        self.finish = finish

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Release runs after an evaluation."""
        if not trainer.sanity_checking:
            self.release(trainer, pl_module)

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Release runs that had ended before they were resumed."""
        self.release(trainer, pl_module)

    def release(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Finish what has ended; what was interrupted is left as it is."""
        assert isinstance(pl_module, StackModule)
        ended = pl_module.ended
        for run in ended:
            if run.error is None:
                with run.guarded():
                    self.finish(run)
        if ended:
            pl_module.keep([run for run in pl_module.runs if run not in ended])
        trainer.should_stop |= not pl_module.runs
