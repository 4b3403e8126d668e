"""The Lightning module of a stack: one Lightning batch is a block of many optimizer steps."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from lightning.pytorch import LightningModule
from torch import Tensor
from torch.optim import Optimizer

from fit.data.batches import Batches
from fit.data.datamodule import DataModule, Region
from fit.measure.collapse import collapse
from fit.measure.errors import errors
from fit.measure.outcome import Outcome
from fit.model.stack import Stack
from fit.training.recipe import Recipe
from fit.training.stepper import Stepper

# Steps between two checks of whether the loss is still finite, by device: a GPU would have to be waited for each time.
STEPS_PER_CHECK = {"cpu": 1}
MOST_STEPS_PER_CHECK = 256


class Best(NamedTuple):
    """A member's look of lowest `val/loss`."""

    epoch: int
    loss: float


@dataclass(frozen=True)
class Look:
    """What was seen of a stack between two blocks: a row of numbers for each member, and its errors target by target.

    `targets[region][error]` is `[members, targets]`; `predictions[region]` is `[members, rows, targets]`, own units.
    """

    rows: list[dict[str, float]]
    targets: dict[str, dict[str, Tensor]]
    predictions: dict[str, Tensor]


class StackModule(LightningModule):
    """Trains a stack by manual optimization and looks at it between blocks."""

    stepper: Stepper

    def __init__(
        self, stack: Stack, recipe: Recipe, data: DataModule, stop: Callable[[], bool] = lambda: False
    ) -> None:
        """Take the stack, its recipe and data, and `stop`, which is asked after each pass whether to end early."""
        super().__init__()
        self.automatic_optimization = False
        self.stack = stack
        self.recipe = recipe
        self.data = data
        self.stop = stop
        self.on_epoch: Callable[[], object] = lambda: None
        self.best = [Best(0, math.inf)] * stack.members
        self.diverged_epoch: list[int | None] = [None] * stack.members
        self.look = Look([], {}, {})
        self.rows_before: list[dict[str, float]] = [{}] * stack.members
        self._last_pass: list[Tensor] = []
        self._measured: dict[str, tuple[Tensor, dict[str, Tensor], Tensor]] = {}

    def configure_optimizers(self) -> Optimizer:
        """Make the stepper, now that the stack is on its device, and name its optimizer to Lightning."""
        self.device_name = str(self.device)  # Lightning takes the module off it in the end
        self.stepper = Stepper(self.stack, self.recipe)
        return self.stepper.optimizer.optimizer

    @property
    def batches(self) -> Batches:
        """The training rows."""
        return self.data.batches

    @property
    def finished(self) -> bool:
        """Whether there is nothing left to train."""
        return self.stepper.epoch >= self.recipe.max_epochs or None not in self.diverged_epoch

    @property
    def next_look(self) -> int:
        """The epoch of the next look: a multiple of `look_every`, or the last epoch."""
        every = self.recipe.look_every
        return min((self.stepper.epoch // every + 1) * every, self.recipe.max_epochs)

    @property
    def on_grid(self) -> bool:
        """Whether this is an epoch to look at, not one at which somebody interrupted."""
        return self.finished or self.stepper.epoch % self.recipe.look_every == 0

    def training_step(self, batches: Batches) -> None:
        """Train until the next look, or until there is nothing left to train."""
        stepper, until = self.stepper, self.next_look
        rates = stepper.rates_ahead(len(batches), until)
        totals: list[Tensor] = []
        patience = STEPS_PER_CHECK.get(self.device.type, MOST_STEPS_PER_CHECK)
        while stepper.epoch < until and not self.finished and not self.stop():
            self._last_pass = stepper.train_epoch(batches, rates)
            totals += self._last_pass
            if len(totals) >= patience:
                self._note_divergence(totals, len(batches))
                totals.clear()
            self.on_epoch()
        self._note_divergence(totals, len(batches))
        self.trainer.should_stop = self.finished or self.stop()

    def validation_step(self, region: Region, batch_idx: int, dataloader_idx: int = 0) -> None:
        """Measure the stack on one region."""
        outputs = self.stack(region.inputs)
        loss = self.recipe.loss
        losses = loss.value(outputs - region.targets).sum((1, 2)) * loss.weight(outputs)
        predictions = self.data.target_scaler.inverse_transform(outputs.to(region.truth.device).double())
        self._measured[region.name] = (losses, errors(predictions, region.truth), predictions)

    def on_validation_epoch_end(self) -> None:
        """Put what was measured into one look, fetched from the device at once."""
        stepper = self.stepper
        during = {"lr": stepper.rates[:, 0]} | stepper.gradient_norms()
        # What a plain loop prints: the loss of the last pass, step by step, before each step's update.
        seen = torch.stack(self._last_pass).sum(0) if self._last_pass else stepper.rates[:, 0]
        during["train/pass_loss"] = seen * self.recipe.loss.weight(self.batches.targets)
        columns = dict(during)
        if any(self.recipe.l1) or any(self.recipe.l2):
            columns["penalty"] = stepper.penalty()
        for region, (losses, measured, _) in self._measured.items():
            columns[f"{region}/loss"] = losses
            columns |= {f"{region}/{error}": values[:, 0] for error, values in measured.items()}
        judge = self.data.target_scaler.center.device
        table = torch.stack([column.to(judge).double() for column in columns.values()], 1).tolist()
        when = {"epoch": stepper.epoch, "step": stepper.step}
        rows = [when | dict(zip(columns, row, strict=True)) for row in table]
        if not self._last_pass:  # nothing was trained in this process yet
            befores = zip(rows, self.rows_before, strict=True)
            rows = [row | {key: before.get(key, math.nan) for key in during} for row, before in befores]
        self.look = Look(
            rows,
            {
                name: {key: each[:, 1:] for key, each in measured.items()}
                for name, (_, measured, _) in self._measured.items()
            },
            {name: predictions for name, (_, _, predictions) in self._measured.items()},
        )
        for member, row in enumerate(rows):
            if self.on_grid and row["val/loss"] < self.best[member].loss:
                self.best[member] = Best(stepper.epoch, row["val/loss"])
        self.trainer.should_stop |= self.finished

    def _note_divergence(self, totals: list[Tensor], steps_per_epoch: int) -> None:
        """Write down the epoch in which a member's loss first stopped being finite."""
        if not totals:
            return
        seen = torch.stack(totals).cpu()
        if math.isfinite(seen.sum().item()):
            return
        lost = ~seen.isfinite()
        before = self.stepper.step - len(totals)
        for member, first in enumerate(lost.int().argmax(0).tolist()):
            if self.diverged_epoch[member] is None and lost[first, member]:
                self.diverged_epoch[member] = (before + first) // steps_per_epoch + 1

    def predict(self, member: int, inputs: Tensor) -> Tensor:
        """Map inputs `[rows, inputs]` to one member's targets `[rows, targets]`, both in own units, on the CPU."""
        problem, theta = self.data.problems[member], self.stack.theta
        scaled = problem.input_scaler.transform(inputs).to(theta)
        with torch.no_grad():
            outputs = self.stack(scaled.unsqueeze(0), member)[0]
        return problem.target_scaler.inverse_transform(outputs.cpu().double())

    def outcome(self, member: int, seconds: float) -> Outcome:
        """Say how one member ended; `seconds` is how long it was trained."""
        problem, row, diverged = self.data.problems[member], self.look.rows[member], self.diverged_epoch[member]
        # The steps told as long as there were any; after the last one there is only the look.
        if diverged is None and not math.isfinite(row["train/loss"]):
            diverged = self.stepper.epoch
        stack, layers = self.stack, self.stack.layers(self.stack.theta.data)
        numbers: dict[str, object] = {key: row[key] for key in row if "/" in key and not key.startswith("grad_norm")}
        numbers["targets"] = {
            name: {
                f"{region}/{error}": float(values[member, index])
                for region, each in self.look.targets.items()
                for error, values in each.items()
            }
            for index, name in enumerate(problem.dataset.targets)
        }
        numbers |= {
            "best/epoch": self.best[member].epoch,
            "best/val/loss": self.best[member].loss,
            "diverged": diverged is not None,
            "diverged_epoch": diverged,
            "epochs": self.stepper.epoch,
            "steps": self.stepper.step,
            "parameters": stack.theta.shape[1],
            "device": self.device_name,
            "seconds/fit": seconds,
        }
        return Outcome(
            numbers,
            {name: each[member].cpu() for name, each in self.look.predictions.items()},
            lambda inputs: self.predict(member, inputs),
            collapse(layers, member, problem.input_scaler, problem.target_scaler) if not any(stack.functions) else None,
        )
