"""The engine of small networks on the CPU: many steps in one call of the kernel."""

import time
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Generator, Tensor

from fit.catalog.updates import UPDATES, find_update
from fit.data.batches import Batches, places
from fit.kernel.code import activation_codes, loss_codes
from fit.kernel.library import KernelError, load_library
from fit.kernel.runner import Runner
from fit.kernel.task import MOST_LAYERS, Task
from fit.model.architecture import Networks
from fit.model.stack import Stack
from fit.training.base import BaseEngine
from fit.training.recipe import Recipe

# How long a call should take, so that the progress bar moves and Ctrl-C is heard.
SECONDS_PER_CALL = 0.02
# Numbers of a call's learning rates and losses, and of its dropout factors: so many steps of so many members at most.
MOST_NUMBERS = 2**22
# Products of a row and a weight in a step from which on threads share the rows of a network.
WORTH_SHARING = 2**20
# Whether they help depends on what else runs here: so often the other way is tried again.
CALLS_BETWEEN_TRIES = 32
# And all the products of a call from which on threads share its members.
WORTH_THREADS = 2**22


class Noted(NamedTuple):
    """Where a call began, beside the copies of weights and optimizer state."""

    epoch: int
    step: int
    numbers: dict[str, Tensor]
    generators: list[tuple[Generator, Tensor]]


class Kernel(BaseEngine):
    """Takes many steps of every member in one call; a member's numbers do not depend on the others or on threads."""

    name = "kernel"
    stack: Stack

    @classmethod
    def refuses(cls, stack: Networks, recipe: Recipe, device: torch.device) -> str | None:
        """Say why it does not train these networks; None if it does."""
        if not isinstance(stack, Stack):
            return "needs a network of layers"
        if device.type != "cpu":
            return "is for the CPU"
        if not {stack.activation, stack.output_activation} <= set(activation_codes()) or recipe.loss.name not in (
            loss_codes()
        ):
            return "is not possible with a function of your own"
        if update_of(recipe) is None:
            return f"does not know {recipe.optimizer.__name__} with these settings"
        if len(stack.sizes) > MOST_LAYERS + 1:
            return f"has at most {MOST_LAYERS} layers"
        if recipe.engine == "auto" and stack.wide:
            return "is slower where layers are so wide"
        try:
            load_library(stack.theta.dtype == torch.float64)
        except KernelError as error:
            return str(error)
        return None

    def __init__(self, stack: Networks, recipe: Recipe) -> None:
        """Take the stack and how to train it."""
        super().__init__(stack, recipe)
        key = update_of(recipe)
        assert key is not None
        self._key, self._kind = key, UPDATES[key]
        self._settings = full_settings(recipe)
        self._runner = Runner(stack.theta.dtype == torch.float64)
        self._task = self._describe()
        self._copies: list[Tensor] = []
        self._calls = 0
        self._pace: dict[int, float] = {}  # passes in a second, by the number of threads

    @torch.no_grad()
    def train(self, batches: Batches, until: int) -> Tensor:
        """Pass over the batches for a moment; return every step's summed errors `[steps, members]`."""
        per_pass = len(batches)
        most = max(1, MOST_NUMBERS // (per_pass * self.stack.members))
        workers = self._choose_workers(batches, until - self.epoch)
        pace = self._pace.get(workers, 0.0)
        passes = min(until - self.epoch, max(1, int(pace * SECONDS_PER_CALL)), most)
        noted = self._note(batches) if passes > 1 else None
        began = time.perf_counter()
        totals = self._pass_over(batches, passes, workers)
        # At most eight times as many as the last time, which may have been a fluke.
        self._pace[workers] = min(passes / (time.perf_counter() - began), 8 * passes / SECONDS_PER_CALL)
        lost = first_lost(totals) // per_pass + 1
        if noted is not None and lost < passes:  # the others have gone too far: the same again, up to there
            self._go_back(noted)
            totals = self._pass_over(batches, lost, workers)
        return totals

    def _pass_over(self, batches: Batches, passes: int, workers: int) -> Tensor:
        """Pass so often over the batches, in calls of bounded memory."""
        orders, steps = batches.draw_orders(passes), passes * len(batches)
        at_once = max(1, MOST_NUMBERS // max(self.stack.members, self._mask_numbers(batches)))
        totals = [
            self._call(batches, orders, range(first, min(first + at_once, steps)), workers)
            for first in range(0, steps, at_once)
        ]
        self.epoch += passes
        return torch.cat(totals)

    def _call(self, batches: Batches, orders: Tensor | None, part: range, workers: int) -> Tensor:
        """Take some of the steps of these passes."""
        task, theta, first, steps = self._task, self.stack.theta.data, part.start, len(part)
        inputs, targets = batches.inputs.contiguous(), batches.targets.contiguous()
        rates = self.rate_table(range(self.step, self.step + steps), len(batches)).contiguous()
        totals = torch.empty_like(rates)
        scalars, state = self._scalars(steps), self._remembered()
        order_of_member, mask_of_member = batches.order_of_member, places(self.recipe.seeds)
        masks = self._draw_masks(batches, first, steps) if self.stack.dropout else None
        task.rows, task.batch, task.first, task.steps = inputs.shape[1], batches.batch_size, first, steps
        task.shared_rows, task.orders = len(inputs) == 1, 0 if orders is None else orders.shape[1]
        task.mask_sets, task.mask_numbers = (0, 0) if masks is None else masks.shape[1:]
        task.order_of_member, task.mask_of_member = order_of_member.data_ptr(), mask_of_member.data_ptr()
        task.order, task.masks = (None if each is None else each.data_ptr() for each in (orders, masks))
        for field, tensor in {
            "inputs": inputs,
            "targets": targets,
            "scalars": scalars,
            "rates": rates,
            "theta": theta,
            "gradient": self.gradient,
            "totals": totals,
        }.items():
            setattr(task, field, tensor.data_ptr())
        for place, each in enumerate(state):
            task.state[place] = None if each is None else each.data_ptr()
        self._runner.run(task, workers)
        self.step += steps
        self.rates = rates[-1, :, None].clone()
        if self._kind.counts:
            self._state["step"] = torch.tensor(float(self.step))
        return totals

    def _choose_workers(self, batches: Batches, passes: int) -> int:
        """Return how many threads to use for so many passes: they share members, or else the rows of large batches."""
        members, threads = self.stack.members, self.recipe.threads
        products = batches.batch_size * self.stack.theta.shape[1]
        shared = threads if products >= WORTH_SHARING else min(threads, members)
        if shared <= members:
            return shared if passes * len(batches) * members * products >= WORTH_THREADS else 1
        self._calls += 1
        if self._calls <= 3:  # the very first is slow in any way
            return (shared, shared, 1)[self._calls - 1]
        faster = max(self._pace, key=self._pace.__getitem__)
        return faster if self._calls % CALLS_BETWEEN_TRIES else 1 + shared - faster

    def _describe(self) -> Task:
        """Write down what stays the same from call to call."""
        stack, recipe, kind = self.stack, self.recipe, self._kind
        codes = list(activation_codes())
        task = Task(
            layers=len(stack.sizes) - 1,
            bias=stack.bias,
            activation=codes.index(stack.activation),
            output_activation=codes.index(stack.output_activation),
            loss=list(loss_codes()).index(recipe.loss.name),
            mean=recipe.loss.kind.mean,
            optimizer=list(UPDATES).index(self._key),
            decoupled=self.update.decoupled,
            by_value=recipe.clip_algorithm == "value",
            penalized=self.penalized,
            clipped=self.clipped,
            members=stack.members,
            parameters=stack.theta.shape[1],
            l1=self.l1.data_ptr(),
            l2=self.l2.data_ptr(),
            clip=self.clip_val.data_ptr(),
            decay=self.update.weight_decay.data_ptr(),
        )
        task.sizes[: len(stack.sizes)] = list(stack.sizes)
        constants = kind.constants(self._settings)
        task.constants[: len(constants)] = [float(each) for each in constants]
        return task

    def bind(self) -> None:
        """Take up weights and gradient, which are other tensors now."""
        if hasattr(self, "_task"):
            self._task = self._describe()

    @property
    def _state(self) -> dict[str, Tensor]:
        """Torch's own dictionary of what the optimizer remembers."""
        state: dict[str, Tensor] = self.update.optimizer.state[self.stack.theta]
        return state

    def _remembered(self) -> list[Tensor | None]:
        """Return what the optimizer remembers `[members, parameters]`, in torch's own dictionary; zeros at first."""
        state = self._state
        names = self._kind.remembers(self._settings)
        for name in filter(None, names):
            if state.get(name) is None:
                state[name] = torch.zeros_like(self.stack.theta.data)
        return [state[name].contiguous() if name else None for name in names]

    def _scalars(self, steps: int) -> Tensor:
        """Return the numbers of each step's update `[steps, 4]`."""
        state = self._state
        held = {key: float(state[key]) for key in ("mu_product",) if key in state}
        columns = self._kind.numbers(self._settings, np.arange(self.step + 1.0, self.step + steps + 1), held)
        state.update({key: torch.tensor(value, dtype=torch.float32) for key, value in held.items()})
        table = np.zeros((steps, 4))
        for place, column in enumerate(columns):
            table[:, place] = column
        return torch.from_numpy(table).to(self.stack.theta.dtype)

    def _mask_numbers(self, batches: Batches) -> int:
        """Return how many dropout factors a step takes."""
        hidden = sum(self.stack.sizes[1:-1])
        return len(self.masks.generators) * batches.batch_size * hidden if self.stack.dropout else 0

    def _draw_masks(self, batches: Batches, first: int, steps: int) -> Tensor:
        """Draw the dropout factors of some steps `[steps, seeds, numbers]`, in the order of the eager engine."""
        per_pass, rows, hidden = len(batches), batches.inputs.shape[1], self.stack.sizes[1:-1]
        generators = self.masks.generators.values()
        drawn = torch.zeros(steps, len(generators), batches.batch_size * sum(hidden), dtype=self.stack.theta.dtype)
        for step in range(steps):
            begin, taken = (first + step) % per_pass * batches.batch_size, 0
            batch = min(batches.batch_size, rows - begin)
            for width in hidden:
                for place, generator in enumerate(generators):
                    drawn[step, place, taken : taken + batch * width].bernoulli_(self.masks.kept, generator=generator)
                taken += batch * width
        return drawn.div_(self.masks.kept)

    def _note(self, batches: Batches) -> Noted:
        """Copy what a call changes, into memory that is kept for it."""
        now = [self.stack.theta.data, *(each for each in self._remembered() if each is not None)]
        if len(self._copies) != len(now) or self._copies[0].shape != now[0].shape:
            self._copies = [torch.empty_like(each) for each in now]
        for copy, each in zip(self._copies, now, strict=True):
            copy.copy_(each)
        numbers = {key: each for key, each in self._state.items() if key in ("step", "mu_product")}
        generators = [*batches.generators.values(), *self.masks.generators.values()]
        return Noted(self.epoch, self.step, numbers, [(each, each.get_state()) for each in generators])

    def _go_back(self, noted: Noted) -> None:
        """Take up again what was noted."""
        self.epoch, self.step = noted.epoch, noted.step
        now = [self.stack.theta.data, *(each for each in self._remembered() if each is not None)]
        for copy, each in zip(self._copies, now, strict=True):
            each.copy_(copy)
        for key in ("step", "mu_product"):
            self._state.pop(key, None)
        self._state.update(noted.numbers)
        for generator, state in noted.generators:
            generator.set_state(state)


def full_settings(recipe: Recipe) -> dict[str, Any]:
    """Return all settings of a recipe's optimizer, those that nobody gave as its class has them."""
    return {**recipe.optimizer([torch.zeros(1)], **recipe.optimizer_settings).defaults}


def update_of(recipe: Recipe) -> str | None:
    """Return which of the kernel's updates a recipe's optimizer is; None if it is none."""
    known = getattr(torch.optim, recipe.optimizer.__name__, None) is recipe.optimizer
    return find_update(recipe.optimizer.__name__, full_settings(recipe)) if known else None


def first_lost(totals: Tensor) -> int:
    """Return the first step at which an error `[steps, members]` is not finite; their number if all are."""
    if bool(totals.sum().isfinite()):
        return len(totals)
    lost = ~totals.isfinite().all(1)
    return int(lost.nonzero()[0, 0]) if bool(lost.any()) else len(totals)
