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

    def __init__(
        self, folders: Sequence[RunFolder], members: Sequence[Member], stored: Sequence[Checkpoint] | None = None
    ) -> None:
        """Take each member's run folder, what describes it, and the checkpoints to go on from."""
        self.folders = folders
        self.members = members
        self.stored = stored
        self.seconds_before = 0.0 if stored is None else stored[0]["seconds"]
        self._saved_at = -SECONDS_BETWEEN
        self._unsaved_best: dict[int, Checkpoint] = {}

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Go on from the stored checkpoints, and forget looks that are later than they are."""
        assert isinstance(pl_module, StackModule)
        self._started = time.perf_counter()
        if self.stored is not None:
            try:
                self.restore(pl_module, self.stored)
            except (KeyError, TypeError, ValueError, RuntimeError, AttributeError):
                raise FitError(
                    f"{self.folders[0].last} is damaged: delete it and resume to train from the start."
                ) from None
        for folder in self.folders:
            folder.rewind_history(-1 if self.stored is None else pl_module.stepper.epoch)

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Keep what is the best so far, and save if it is time to."""
        assert isinstance(pl_module, StackModule)
        for index, best in enumerate(pl_module.best):
            if best.epoch == pl_module.stepper.epoch and pl_module.on_grid:
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
            look=module.look.rows[index],
            theta=module.stack.theta.data[index].cpu().clone(),
            optimizer=stepper.optimizer.member_state(index),
            generators={
                "shuffle": module.batches.generators[seed].get_state(),
                "dropout": stepper.masks.generators[seed].get_state(),
            },
            **self.members[index],
        )

    def restore(self, module: StackModule, stored: Sequence[Checkpoint]) -> None:
        """Put members where their checkpoints, all of one epoch, left them."""
        stepper = module.stepper
        stepper.epoch, stepper.step = stored[0]["epoch"], stored[0]["step"]
        module.stack.theta.data.copy_(torch.stack([each["theta"] for each in stored]))
        if stored[0]["optimizer"]:
            stepper.optimizer.load_member_states([each["optimizer"] for each in stored])
        module.rows_before = [each["look"] for each in stored]
        for index, each in enumerate(stored):
            seed = module.recipe.seeds[index]
            module.best[index] = Best(each["best_epoch"], each["best_loss"])
            module.diverged_epoch[index] = each["diverged_epoch"]
            module.batches.generators[seed].set_state(each["generators"]["shuffle"])
            stepper.masks.generators[seed].set_state(each["generators"]["dropout"])


def load_stored(folders: Sequence[RunFolder], module: StackModule) -> list[Checkpoint] | None:
    """Load the last checkpoints of runs that go on, or None; raise FitError if they cannot go on as this stack."""
    if not all(folder.last.exists() for folder in folders):
        return None
    stored = [load(folder.last) for folder in folders]
    epoch, most = stored[0]["epoch"], module.recipe.max_epochs
    for folder, each in zip(folders, stored, strict=True):
        if each["sizes"] != list(module.stack.sizes) or each["theta"].shape != module.stack.theta.shape[1:]:
            raise FitError(f"{folder.last} does not fit the model of {folder.config}: one of them was changed.")
        if each["epoch"] != epoch:
            raise FitError(
                f"{folder.last} is of epoch {each['epoch']}, others are of {epoch}: they cannot go on together."
            )
    if epoch > most:
        raise FitError(
            f"trainer.max_epochs={most} is not allowed: {folders[0].path} has done {epoch}; give that or more."
        )
    return stored
