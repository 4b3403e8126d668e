"""The Lightning module of a stack: one Lightning batch is a block of many optimizer steps."""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from lightning.pytorch import LightningModule
from torch import Tensor
from torch.optim import Optimizer

from fit.data.batches import Batches
from fit.data.datamodule import DataModule, Region
from fit.evaluation.collapse import collapse
from fit.evaluation.errors import errors
from fit.evaluation.outcome import Outcome
from fit.model.architecture import Networks
from fit.training.engine import Engine
from fit.training.engines import build_engine
from fit.training.recipe import Recipe
from fit.training.run import Best, Run

# Steps between two checks of whether the loss is still finite, by device: a GPU would have to be waited for each time.
STEPS_PER_CHECK = {"cpu": 1}
MOST_STEPS_PER_CHECK = 256
# Numbers of a layer that are computed at once when a stack is measured, so that many members need no more memory.
MOST_NUMBERS = 2**22


class Evaluation(NamedTuple):
    """What was seen of a stack between two blocks: a row of numbers for each member, and its errors target by target.

    `targets[region][error]` is `[members, targets]`.
    """

    rows: list[dict[str, float]]
    targets: dict[str, dict[str, Tensor]]


class StackModule(LightningModule):
    """Trains a stack by manual optimization and evaluates it between blocks."""

    engine: Engine

    def __init__(
        self,
        stack: Networks,
        recipe: Recipe,
        data: DataModule,
        runs: Sequence[Run],
        stop: Callable[[], bool] = lambda: False,
    ) -> None:
        """Take the stack, its recipe, data and runs, and `stop`, which is asked after each call whether to end."""
        super().__init__()
        self.automatic_optimization = False
        self.stack = stack
        self.recipe = recipe
        self.data = data
        self.runs = list(runs)
        self.stop = stop
        self.on_epoch: Callable[[], object] = lambda: None
        self.evaluation = Evaluation([], {})
        # The losses `[members]` of the passes before the first evaluation, and the epoch of each.
        self.passes: list[tuple[int, Tensor]] = []
        self._last_pass: Tensor | None = None
        self._measured: dict[str, tuple[Tensor, dict[str, Tensor]]] = {}

    def configure_optimizers(self) -> Optimizer:
        """Make the engine, now that the stack is on its device, and name its optimizer to Lightning."""
        self.device_name = str(self.device)  # Lightning takes the module off it in the end
        self.engine = build_engine(self.stack, self.recipe)
        return self.engine.optimizer

    @property
    def batches(self) -> Batches:
        """The training rows."""
        return self.data.batches

    @property
    def ended(self) -> list[Run]:
        """The runs for which there is nothing left to train."""
        return [run for run in self.runs if run.ended(self.engine.epoch)]

    @property
    def due_runs(self) -> list[Run]:
        """The runs that are to be evaluated at this epoch."""
        return [run for run in self.runs if run.is_due(self.engine.epoch)]

    @property
    def next_evaluation(self) -> int:
        """The epoch of the next evaluation: a multiple of `evaluate_every`, or the last epoch of a run."""
        every = self.recipe.evaluate_every
        return min((self.engine.epoch // every + 1) * every, *(run.max_epochs for run in self.runs))

    def keep(self, runs: Sequence[Run]) -> None:
        """Forget all runs but these, and the members that none of them needs."""
        self.runs = list(runs)
        members = sorted({run.member for run in runs})
        if not members or len(members) == self.stack.members:
            return
        self.engine.keep(members)
        self.data.keep(members)
        if self._last_pass is not None:
            self._last_pass = self._last_pass[:, members]
        for run in runs:
            run.member = members.index(run.member)

    def training_step(self, batches: Batches) -> None:
        """Train until the next evaluation, or until a run has ended."""
        engine = self.engine
        until = self.next_evaluation if not self.ended else engine.epoch
        totals: list[Tensor] = []
        unchecked, patience = 0, STEPS_PER_CHECK.get(self.device.type, MOST_STEPS_PER_CHECK)
        lost = False
        while engine.epoch < until and not lost and not self.stop():
            totals.append(self._train(batches, until))
            unchecked += len(totals[-1])
            if unchecked >= patience:
                lost = self._note_divergence(totals, len(batches))
                totals.clear()
                unchecked = 0
            self.on_epoch()
        self._note_divergence(totals, len(batches))
        self.trainer.should_stop = len(self.ended) == len(self.runs) or self.stop()

    def _train(self, batches: Batches, until: int) -> Tensor:
        """Let the engine pass over the batches; return the summed errors of its steps `[steps, members]`."""
        begin, steps = self.engine.epoch, len(batches)
        totals = self.engine.train(batches, until)
        self._last_pass = totals[-steps:]
        for epoch in range(begin + 1, min(self.engine.epoch + 1, self.recipe.evaluate_every)):
            if is_round(epoch):
                end = (epoch - begin) * steps
                self.passes.append((epoch, self._pass_loss(totals[end - steps : end])))
        return totals

    def validation_step(self, regions: Sequence[Region], batch_idx: int) -> None:
        """Measure the stack on all regions."""
        for region in regions:
            self._measure(region)

    def _measure(self, region: Region) -> None:
        """Measure the stack on one region, some members at a time."""
        loss = self.recipe.loss
        at_once = max(1, MOST_NUMBERS // (region.truth.shape[1] * self.stack.widest))
        parts = []
        for start in range(0, self.stack.members, at_once):
            members = slice(start, start + at_once)
            inputs, targets, truth, *scaler = (
                each[members] if len(each) > 1 else each for each in (*region[1:], *self.data.target_scaler)
            )
            outputs = self._outputs(inputs, members)
            losses = loss.value(outputs - targets).sum((1, 2)) * loss.weight(outputs)
            predictions = type(self.data.target_scaler)(*scaler).inverse_transform(outputs.to(truth.device).double())
            parts.append({"loss": losses[:, None]} | errors(predictions, truth))
        measured = {key: torch.cat([part[key] for part in parts]) for key in parts[0]}
        self._measured[region.name] = (measured.pop("loss")[:, 0], measured)

    def _outputs(self, inputs: Tensor, members: slice) -> Tensor:
        """Map inputs `[members or 1, rows, inputs]` to outputs `[members, rows, outputs]`, some rows at a time."""
        rows = max(1, MOST_NUMBERS // self.stack.widest)
        return torch.cat([self.stack(part, members) for part in torch.split(inputs, rows, 1)], 1)

    def on_validation_epoch_end(self) -> None:
        """Put what was measured into one evaluation, fetched from the device at once."""
        engine = self.engine
        during = {"lr": engine.rates[:, 0]} | engine.gradient_norms()
        seen = self._last_pass
        during["train/pass_loss"] = engine.rates[:, 0] if seen is None else self._pass_loss(seen)
        columns = dict(during)
        if any(self.recipe.l1) or any(self.recipe.l2):
            columns["penalty"] = engine.penalty()
        for region, (losses, measured) in self._measured.items():
            columns[f"{region}/loss"] = losses
            columns |= {f"{region}/{error}": values[:, 0] for error, values in measured.items()}
        judge = self.data.target_scaler.center.device
        table = torch.stack([column.to(judge).double() for column in columns.values()], 1).tolist()
        when = {"epoch": engine.epoch, "step": engine.step}
        rows = [when | dict(zip(columns, row, strict=True)) for row in table]
        if seen is None:  # nothing was trained in this process yet
            earlier = {run.member: run.evaluation_before for run in self.runs}
            rows = [
                row | {key: earlier.get(member, {}).get(key, math.nan) for key in during}
                for member, row in enumerate(rows)
            ]
        targets = {
            region: {error: values[:, 1:] for error, values in measured.items()}
            for region, (_, measured) in self._measured.items()
        }
        self.evaluation = Evaluation(rows, targets)
        for run in self.due_runs:
            if self.row(run)["val/loss"] < run.best.loss:
                run.best = Best(engine.epoch, self.row(run)["val/loss"])
        self.trainer.should_stop |= len(self.ended) == len(self.runs)

    def _pass_loss(self, totals: Tensor) -> Tensor:
        """Return what a plain loop prints `[members]`: the loss of a pass, before each step's update."""
        return totals.sum(0) * self.recipe.loss.weight(self.batches.targets)

    def row(self, run: Run) -> dict[str, float]:
        """Return what was last seen of a run; a penalty only if it has one."""
        row = self.evaluation.rows[run.member]
        if "penalty" in row and not (self.recipe.l1[run.member] or self.recipe.l2[run.member]):
            row = {key: value for key, value in row.items() if key != "penalty"}
        return row

    def _note_divergence(self, totals: list[Tensor], steps_per_epoch: int) -> bool:
        """Write down the epoch in which a member's loss first stopped being finite; return whether one did."""
        if not totals:
            return False
        seen = torch.cat(totals).cpu()
        if math.isfinite(seen.sum().item()):
            return False
        lost = ~seen.isfinite()
        before = self.engine.step - len(seen)
        firsts, any_lost = lost.int().argmax(0).tolist(), lost.any(0).tolist()
        for run in self.runs:
            if run.diverged_epoch is None and any_lost[run.member]:
                run.diverged_epoch = (before + firsts[run.member]) // steps_per_epoch + 1
        return any(any_lost)

    def predict(self, run: Run, inputs: Tensor) -> Tensor:
        """Map inputs `[rows, inputs]` to a run's targets `[rows, targets]`, both in own units, on the CPU."""
        problem, theta, member = run.problem, self.stack.theta, run.member
        scaled = problem.input_scaler.transform(inputs).to(theta)
        with torch.no_grad():
            outputs = self._outputs(scaled.unsqueeze(0), slice(member, member + 1))[0]
        return problem.target_scaler.inverse_transform(outputs.cpu().double())

    def outcome(self, run: Run, seconds: float) -> Outcome:
        """Say how a run ended; `seconds` is how long it was trained."""
        problem, row, diverged, member = run.problem, self.row(run), run.diverged_epoch, run.member
        # The steps show it as long as there are any; after the last one only the evaluation does.
        if diverged is None and not math.isfinite(row["train/loss"]):
            diverged = self.engine.epoch
        numbers: dict[str, object] = {key: row[key] for key in row if "/" in key and not key.startswith("grad_norm")}
        numbers["targets"] = {
            name: {
                f"{region}/{error}": float(values[member, index])
                for region, each in self.evaluation.targets.items()
                for error, values in each.items()
            }
            for index, name in enumerate(problem.dataset.target_names)
        }
        numbers |= {
            "best/epoch": run.best.epoch,
            "best/val/loss": run.best.loss,
            "diverged": diverged is not None,
            "diverged_epoch": diverged,
            "epochs": self.engine.epoch,
            "steps": self.engine.step,
            "parameters": self.stack.theta.shape[1],
            "device": self.device_name,
            "engine": self.engine.name,
            "seconds/fit": seconds,
        }
        return Outcome(
            numbers,
            lambda inputs: self.predict(run, inputs),
            collapse(self.stack, member, problem.input_scaler, problem.target_scaler),
        )


def is_round(epoch: int) -> bool:
    """Whether a number has at most two digits before its zeros, as 1 to 100, 110, 120 and 1100 have."""
    return len(str(epoch).rstrip("0")) <= 2
