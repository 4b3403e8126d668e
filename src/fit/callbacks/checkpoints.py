"""Saving every member's last and best state, and taking it up again."""

import time
from collections.abc import Sequence
from typing import TypedDict

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor

from fit.errors import FitError
from fit.folder import RunFolder
from fit.training.checkpoint import FORMAT, Checkpoint, load, save
from fit.training.module import Best, StackModule

# Looks may come milliseconds apart, and a file that must survive a crash takes as long: so many seconds may be lost.
SECONDS_BETWEEN = 2.0


class Member(TypedDict):
    """What of a member does not change while it trains."""

    sizes: list[int]
    input_scaler: dict[str, Tensor]
    target_scaler: dict[str, Tensor]
    inputs: list[str]
    targets: list[str]
    config: dict[str, object]


class Checkpoints(Callback):
    """Writes `last.ckpt` and `best.ckpt` (lowest `val/loss`) between blocks and at the end."""

    def __init__(self, folders: Sequence[RunFolder], members: Sequence[Member]) -> None:
        """Take each member's run folder and what describes it."""
        self.folders = folders
        self.members = members
        self.seconds_before = 0.0
        self._saved_at = -SECONDS_BETWEEN
        self._unsaved_best: dict[int, Checkpoint] = {}

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Go on from the last checkpoints where there are some."""
        assert isinstance(pl_module, StackModule)
        self._started = time.perf_counter()
        if all(folder.last.exists() for folder in self.folders):
            checkpoints = [load(folder.last) for folder in self.folders]
            for folder, checkpoint in zip(self.folders, checkpoints, strict=True):
                if checkpoint["diverged_epoch"] is not None:
                    raise FitError(
                        f"resume={folder.path} cannot be resumed: it diverged at epoch {checkpoint['diverged_epoch']}. "
                        "Start anew with a smaller optimizer.lr."
                    )
            self.restore(pl_module, checkpoints)
        for folder in self.folders:
            folder.rewind_history(pl_module.stepper.epoch)

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Keep what is the best so far, and save if it is time to."""
        assert isinstance(pl_module, StackModule)
        for index, best in enumerate(pl_module.best):
            if best.epoch == pl_module.stepper.epoch:
                self._unsaved_best[index] = self.capture(pl_module, index)
        if not trainer.sanity_checking and time.perf_counter() - self._saved_at >= SECONDS_BETWEEN:
            self.save(pl_module)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Save the end."""
        assert isinstance(pl_module, StackModule)
        self.save(pl_module)

    def save(self, module: StackModule) -> None:
        """Write the best first: a last one must not speak of a best one that is not there."""
        for index, best in self._unsaved_best.items():
            save(best, self.folders[index].best)
        self._unsaved_best.clear()
        for index, folder in enumerate(self.folders):
            save(self.capture(module, index), folder.last)
        self._saved_at = time.perf_counter()

    def capture(self, module: StackModule, index: int) -> Checkpoint:
        """Copy one member."""
        stepper, seed = module.stepper, module.recipe.seeds[index]
        return Checkpoint(
            format=FORMAT,
            epoch=stepper.epoch,
            step=stepper.step,
            seconds=self.seconds_before + time.perf_counter() - self._started,
            diverged_epoch=module.diverged_epoch[index],
            best_epoch=module.best[index].epoch,
            best_loss=module.best[index].loss,
            theta=module.stack.theta.data[index].cpu().clone(),
            optimizer=stepper.optimizer.member_state(index),
            generators={
                "shuffle": module.batches.generators[seed].get_state(),
                "dropout": stepper.masks.generators[seed].get_state(),
            },
            **self.members[index],
        )

    def restore(self, module: StackModule, checkpoints: Sequence[Checkpoint]) -> None:
        """Put members where their checkpoints, all of one epoch, left them."""
        stepper = module.stepper
        stepper.epoch, stepper.step = checkpoints[0]["epoch"], checkpoints[0]["step"]
        self.seconds_before = checkpoints[0]["seconds"]
        module.stack.theta.data.copy_(torch.stack([checkpoint["theta"] for checkpoint in checkpoints]))
        if checkpoints[0]["optimizer"]:
            stepper.optimizer.load_member_states([checkpoint["optimizer"] for checkpoint in checkpoints])
        for index, checkpoint in enumerate(checkpoints):
            seed = module.recipe.seeds[index]
            module.best[index] = Best(checkpoint["best_epoch"], checkpoint["best_loss"])
            module.diverged_epoch[index] = checkpoint["diverged_epoch"]
            module.batches.generators[seed].set_state(checkpoint["generators"]["shuffle"])
            stepper.masks.generators[seed].set_state(checkpoint["generators"]["dropout"])
