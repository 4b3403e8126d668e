"""Training a stack: one Lightning batch is a block of many optimizer steps."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from lightning.pytorch import LightningModule
from torch import Generator, Tensor
from torch.optim import Optimizer

from fit.data.batches import Batches
from fit.data.datamodule import Region
from fit.data.scalers import Scaler
from fit.measure.errors import errors
from fit.model.stack import Stack
from fit.training.losses import LOSSES
from fit.training.optimizer import MemberOptimizer
from fit.training.schedules import Schedule

# Steps between two looks at whether the loss is still finite: on a GPU, each makes the host wait for the device.
STEPS_PER_CHECK = 256


@dataclass(frozen=True)
class Recipe:
    """How a stack is trained; the sequences hold one number per member. `clip_val` inf is no clipping."""

    optimizer: type[Optimizer]
    optimizer_settings: Mapping[str, object]
    schedule: Schedule
    loss: str
    max_epochs: int
    look_every: int
    seeds: Sequence[int]
    lr: Sequence[float]
    l1: Sequence[float]
    l2: Sequence[float]
    clip_val: Sequence[float]
    clip_algorithm: str = "norm"


@dataclass
class Look:
    """What was seen of a stack between two blocks: one flat row of numbers for each member, and errors per target.

    `targets[region][error]` is `[members, targets]`.
    """

    epoch: int
    step: int
    rows: list[dict[str, float]]
    targets: dict[str, dict[str, Tensor]] = field(default_factory=dict)


class StackModule(LightningModule):
    """Trains a stack by manual optimization and looks at it between blocks."""

    def __init__(
        self, stack: Stack, recipe: Recipe, target_scaler: Scaler, stop: Callable[[], bool] = lambda: False
    ) -> None:
        """Take the stack, how to train it, and `stop`, which is asked after each pass whether to end early."""
        super().__init__()
        self.automatic_optimization = False
        self.stack = stack
        self.recipe = recipe
        self.target_scaler = target_scaler
        self.stop = stop
        self.epoch = 0
        self.step = 0
        self.diverged_epoch: list[int | None] = [None] * stack.members
        self.look = Look(0, 0, [])
        self.masks = Masks(stack, recipe.seeds)
        self._measured: dict[str, tuple[Tensor, dict[str, Tensor]]] = {}

    def configure_optimizers(self) -> Optimizer:
        """Build the optimizer and what else must lie on the device."""
        self.optimizer = MemberOptimizer(self.recipe.optimizer, self.stack.theta, self.recipe.optimizer_settings)
        theta = self.stack.theta
        self.lr, self.l1, self.l2, self.clip_val = (
            torch.tensor(each, dtype=theta.dtype, device=theta.device)
            for each in (self.recipe.lr, self.recipe.l1, self.recipe.l2, self.recipe.clip_val)
        )
        self.rates = torch.zeros_like(self.lr)[:, None]
        self.penalized = bool(self.l1.any() or self.l2.any())
        self.clipped = bool(self.clip_val.isfinite().any())
        return self.optimizer.optimizer

    @property
    def next_look(self) -> int:
        """The epoch of the next look: a multiple of `look_every`, or the last epoch."""
        every = self.recipe.look_every
        return min((self.epoch // every + 1) * every, self.recipe.max_epochs)

    def training_step(self, batches: Batches) -> None:
        """Train until the next look."""
        rates = self._rates(len(batches))
        totals: list[Tensor] = []
        for _ in range(self.next_look - self.epoch):
            for inputs, targets in batches:
                self.rates = next(rates)
                totals.append(self.take_step(inputs, targets, self.rates))
            self.epoch += 1
            if len(totals) >= STEPS_PER_CHECK:
                self._note_divergence(totals, len(batches))
                totals.clear()
            if self.finished or self.stop():
                break
        self._note_divergence(totals, len(batches))
        self.trainer.should_stop = self.finished or self.stop()

    def take_step(self, inputs: Tensor, targets: Tensor, rates: Tensor) -> Tensor:
        """Take one optimizer step with learning rates `[members, 1]` and return the members' summed errors `[members]`."""
        stack, loss = self.stack, LOSSES[self.recipe.loss]
        stack.gradient.zero_()
        outputs = stack(inputs, self.masks.draw if stack.dropout else None)
        total = loss.total(outputs, targets)
        total.backward(torch.full_like(total, loss.weight(outputs)))
        with torch.no_grad():
            if self.penalized:
                stack.add_penalty_gradient(self.l1, self.l2)
            gradient = stack.gradient
            if self.clipped:
                gradient = clip(gradient, self.clip_val, self.recipe.clip_algorithm)
            stack.theta.grad = gradient
        self.optimizer.step(rates)
        self.step += 1
        return total.detach()

    def on_validation_model_zero_grad(self) -> None:
        """Keep the gradients, which Lightning would drop here: the look reports their norms."""

    def validation_step(self, region: Region, batch_idx: int, dataloader_idx: int = 0) -> None:
        """Measure the stack on one region."""
        outputs = self.stack(region.inputs)
        loss = LOSSES[self.recipe.loss]
        totals = loss.total(outputs, region.targets) * loss.weight(outputs)
        predictions = self.target_scaler.inverse_transform(outputs.to(region.truth.device, torch.float64))
        self._measured[region.name] = (totals, errors(predictions, region.truth))

    def on_validation_epoch_end(self) -> None:
        """Put what was measured into one look, fetched from the device at once."""
        columns = {"lr": self.rates[:, 0]}
        columns |= {f"grad_norm/{name}": norm for name, norm in self.stack.gradient_norms().items()}
        if self.penalized:
            columns["penalty"] = self.stack.penalty(self.l1, self.l2)
        for region, (loss, measured) in self._measured.items():
            columns[f"{region}/loss"] = loss
            columns |= {f"{region}/{error}": values[:, 0] for error, values in measured.items()}
        table = torch.stack([column.cpu().double() for column in columns.values()], 1).tolist()
        rows = [{"epoch": self.epoch, "step": self.step} | dict(zip(columns, row, strict=True)) for row in table]
        targets = {region: {name: each[:, 1:] for name, each in measured.items()} for region, (_, measured) in self._measured.items()}
        self.look = Look(self.epoch, self.step, rows, targets)
        for member, row in enumerate(rows):
            if self.diverged_epoch[member] is None and not math.isfinite(row["train/loss"]):
                self.diverged_epoch[member] = self.epoch

    @property
    def finished(self) -> bool:
        """Whether there is nothing left to train."""
        return self.epoch >= self.recipe.max_epochs or None not in self.diverged_epoch

    def _rates(self, steps_per_epoch: int) -> Iterator[Tensor]:
        """Yield the learning rates `[members, 1]` of the steps to come, computed many steps at a time."""
        step = self.step
        while True:
            factors = self.recipe.schedule.factors(range(step, step + 1024), steps_per_epoch, self.recipe.max_epochs)
            yield from (factors.to(self.lr)[:, None, None] * self.lr[:, None]).unbind()
            step += 1024

    def _note_divergence(self, totals: list[Tensor], steps_per_epoch: int) -> None:
        """Write down the epoch in which a member's loss first stopped being finite."""
        if not totals:
            return
        finite = torch.stack(totals).isfinite().cpu()
        if finite.all():
            return
        first_step = self.step - len(totals)
        for member, lost in enumerate((~finite).int().argmax(0).tolist()):
            if self.diverged_epoch[member] is None and not finite[:, member].all():
                self.diverged_epoch[member] = (first_step + lost) // steps_per_epoch + 1


class Masks:
    """Dropout factors that depend on a member's seed alone; they are those of `nn.Dropout` under that seed."""

    def __init__(self, stack: Stack, seeds: Sequence[int]) -> None:
        """Take the stack and its members' seeds."""
        self.keep = 1 - stack.dropout
        self.generators = {seed: Generator().manual_seed(seed) for seed in dict.fromkeys(seeds)}
        self._generator_of_member = torch.tensor([list(self.generators).index(seed) for seed in seeds])

    def draw(self, values: Tensor) -> Tensor:
        """Draw factors for a layer's values `[members, rows, columns]`."""
        drawn = [
            torch.empty(values.shape[1:], dtype=values.dtype).bernoulli_(self.keep, generator=each)
            for each in self.generators.values()
        ]
        return (torch.stack(drawn)[self._generator_of_member] / self.keep).to(values.device)


def clip(gradient: Tensor, limit: Tensor, algorithm: str) -> Tensor:
    """Limit each member's gradient `[members, parameters]`: its norm as a whole, or the value of each number."""
    if algorithm == "value":
        return gradient.clamp(-limit[:, None], limit[:, None])
    norm = torch.linalg.vector_norm(gradient, dim=1)
    return gradient * (limit / (norm + 1e-6)).clamp(max=1.0)[:, None]
