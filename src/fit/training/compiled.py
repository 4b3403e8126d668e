"""A few optimizer steps of a stack at once, traced and compiled into one kernel."""

import inspect
from collections.abc import Callable, Iterator, Sequence
from functools import reduce
from operator import add

import torch
from torch import Tensor
from torch.fx.experimental.proxy_tensor import make_fx

from fit.data.batches import Batches
from fit.evaluation.losses import LossFunction
from fit.model.architecture import Networks
from fit.model.stack import Stack
from fit.training.eager import Eager
from fit.training.graph import TensorFactors, multiply_by_reciprocals, split
from fit.training.recipe import Recipe
from fit.training.step import clip, penalty_gradient

# Sums of so few products are written out: they then need no loop of their own.
FEW = 4
# Products of matrices up to so many multiplications per member fuse with what surrounds them; larger are left to bmm.
SMALL = 1 << 12
# Members computed at once on a CPU: more of them leave its cache, fewer spend their time between calls.
CHUNK = 256
# A chunk is filled up until only one in so many of its places is needed; compiling for another size takes seconds.
FEW_LEFT = 8
# Steps in one call: more gain little, and take longer to compile.
MOST_STEPS = 6
# A product and a sum in one instruction.
OPTIONS: dict[str, str | int | bool | Callable[..., object]] = {
    "cpp.enable_floating_point_contract_flag": "fast",
    "size_asserts": False,
}

Function = Callable[..., Sequence[Tensor]]


class Compiled(Eager):
    """Takes several steps of a stack in one call; the numbers are the eager ones but for rounding.

    The optimizer's state must be there: the very first step is an eager one. Members are computed in chunks of a few
    sizes, the last one filled up, so that few functions are compiled however many members there are.
    """

    @classmethod
    def refuses(cls, stack: Networks, recipe: Recipe) -> str | None:
        """Say why these networks cannot be trained by this engine; None if they can."""
        from torch._inductor.cpp_builder import get_cpp_compiler
        from torch._inductor.exc import InvalidCxxCompiler

        if not isinstance(stack, Stack):
            return "engine=compiled needs a network of layers: give engine=auto for a module of your own."
        if stack.dropout:
            return "engine=compiled is not possible with model.dropout: give engine=eager, or model.dropout=0."
        if stack.own_functions or recipe.loss.own:
            return "engine=compiled is not possible with a function of your own: give engine=eager."
        try:
            get_cpp_compiler()
        except InvalidCxxCompiler:
            return "engine=compiled needs a C++ compiler, such as g++: install one, or give engine=eager."
        return None

    def __init__(self, stack: Networks, recipe: Recipe) -> None:
        """Take the stack and how to train it."""
        super().__init__(stack, recipe)
        self._functions: dict[object, tuple[Function, Function]] = {}
        self._addresses: list[int] = []
        self._size = 0

    def train_pass(self, batches: Batches, rates: Iterator[Tensor]) -> list[Tensor]:
        """Pass once over the batches; what does not fill a call is stepped eagerly."""
        steps, pending, totals = unrolled(len(batches)), list(batches), list[Tensor]()
        while pending:
            run = pending[:steps]
            begun = self.step + len(totals) > 0
            if begun and len(run) == steps and run[0][0].shape == run[-1][0].shape:
                inputs, targets = (torch.stack(columns, 1) for columns in zip(*run, strict=True))
                totals += self.take_many(inputs, targets, torch.cat([next(rates) for _ in run], 1)).unbind()
            else:
                run = run[:1]
                totals.append(self.take(*run[0], next(rates)))
            del pending[: len(run)]
        self.step += len(totals)
        return totals

    def take_many(self, inputs: Tensor, targets: Tensor, rates: Tensor) -> Tensor:
        """Step along batches `[members or 1, steps, batch, columns]` with rates `[members, steps]`.

        Returns the summed errors `[steps, members]`. Gradient and state are then those of eager steps.
        """
        self._bind()
        size = self._size
        passed = [
            [value] * len(self._chunks) if len(value) == 1 else torch.split(value, size)
            for value in (inputs, targets, rates)
        ]
        doubles = [value.double() for value in self._numbers.values()]
        totals: list[Tensor] = []
        numbers: Sequence[Tensor] = []
        for own, *given in zip(self._chunks, *passed, strict=True):
            tensors, rows = [*own, *given], len(own[0])
            if rows < size:
                tensors = [fill(value, size) if len(value) == rows else value for value in tensors]
            if not totals:
                head, tail = self._function(tensors, doubles)
                numbers = head(*doubles) if doubles else []
            totals.append(tail(*tensors, *numbers[len(doubles) :])[0][:, :rows])
            if rows < size:
                for value, filled in zip(own[: self._written], tensors, strict=False):
                    value.copy_(filled[:rows])
        for value, new in zip(self._numbers.values(), numbers, strict=False):
            value.copy_(new)
        self.rates = rates[:, -1:]
        return torch.cat(totals, 1)

    def _bind(self) -> None:
        """Cut the engine's tensors into chunks, unless they are those of the last call."""
        theta = self.stack.theta
        state = {key: value for key, value in self.optimizer.state[theta].items() if isinstance(value, Tensor)}
        self._numbers = {key: value for key, value in state.items() if not value.ndim}
        rows = {key: value for key, value in state.items() if value.ndim}
        whole = [theta.data, self.gradient, *rows.values()]
        addresses = [value.data_ptr() for value in (*whole, self.lr)]
        if addresses != self._addresses:
            self._addresses = addresses
            members = len(theta)
            size = members if theta.is_cuda else min(CHUNK, 1 << (members - 1).bit_length())
            if not size <= self._size < FEW_LEFT * size:
                self._size = size
            self._rows, self._written = list(rows), len(whole)
            limits = torch.cat(
                [self.l1, self.l2, self.clip_val, self.update.weight_decay, torch.ones_like(self.lr)],
                1,
            )
            self._chunks = list(zip(*(torch.split(value, self._size) for value in (*whole, limits)), strict=True))

    def _function(self, tensors: list[Tensor], doubles: list[Tensor]) -> tuple[Function, Function]:
        """Compile what is computed of numbers once for all members, and what then is computed for some members."""
        key = tuple((value.shape, value.stride()) for value in tensors)
        if key not in self._functions:
            with torch.no_grad(), TensorFactors(), torch.compiler._compile_session_context():
                steps = self._unroll(self._rows, list(self._numbers), tensors[-1].shape[1])
                run = torch.func.functionalize(steps, remove="mutations")
                graph = make_fx(run, tracing_mode="fake")(tensors, doubles)
            multiply_by_reciprocals(graph)
            head, tail = split(graph, len(tensors), len(doubles), self._written, tensors[0].dtype)
            with torch.no_grad():
                self._functions[key] = (
                    torch.compile(head, fullgraph=True, dynamic=False) if doubles else head,
                    torch.compile(tail, fullgraph=True, dynamic=False, options=OPTIONS),
                )
        return self._functions[key]

    def _unroll(self, rows: list[str], numbers: list[str], steps: int) -> Function:
        """Return a function of plain tensors that takes all steps."""
        recipe, stack, update = self.recipe, self.stack, self.update
        loss, kind = recipe.loss, recipe.optimizer
        step = inspect.unwrap(kind.step)

        def run(tensors: Sequence[Tensor], doubles: Sequence[Tensor]) -> list[Tensor]:
            (theta, gradient), rest = split_at([value.clone() for value in tensors], 2)
            states, (limits, inputs, targets, rates) = split_at(rest, len(rows))
            l1, l2, clip_val, weight_decay, ones = torch.split(limits, 1, 1)
            optimizer = kind([theta], **{**recipe.optimizer_settings, "lr": 1.0})
            group = optimizer.param_groups[0]
            group.update({key: key == "capturable" for key in ("capturable", "foreach", "fused") if key in group})
            state = dict(zip([*rows, *numbers], [*states, *(value.clone() for value in doubles)], strict=True))
            if state:
                optimizer.state[theta] = state
            parts = [(theta.new_ones(1, b - a), theta.new_zeros(1, c - b)) for a, b, c in stack.offsets()]
            is_weight = torch.cat([part for pair in parts for part in pair], 1)
            totals = []
            for k in range(steps):
                error, gradient = differentiate(stack, loss, theta, inputs[:, k], targets[:, k])
                totals.append(loss.value(error).sum((1, 2)))
                if self.penalized:
                    gradient = gradient + penalty_gradient(theta, is_weight, l1, l2)
                theta.grad = realize(gradient)
                if self.clipped:
                    theta.grad = clip(gradient, clip_val, recipe.clip_algorithm)
                else:
                    theta.grad = theta.grad * ones  # two dimensions, so that one loop holds the whole update
                if update.decays and not update.decoupled:
                    theta.grad = theta.grad + weight_decay * theta
                before = theta.clone()
                step(optimizer)
                if update.decoupled:
                    theta -= weight_decay * before
                theta.copy_(realize(before + rates[:, k : k + 1] * (theta - before)))
                for key in rows:
                    state[key].copy_(realize(state[key].clone()))
            after = optimizer.state[theta] if state else {}
            return [
                theta,
                gradient,
                *(after[key] for key in rows),
                *(after[key] for key in numbers),
                torch.stack(totals),
            ]

        return run


def unrolled(batches: int) -> int:
    """Return how many steps of a pass to take at once: as many as leave few over, as compiling each takes seconds."""
    return min(range(1, min(batches, MOST_STEPS) + 1), key=lambda steps: (batches % steps, -steps))


def differentiate(
    stack: Stack, loss: LossFunction, theta: Tensor, inputs: Tensor, targets: Tensor
) -> tuple[Tensor, Tensor]:
    """Return the errors of one batch and the gradient `[members, parameters]`, as `Stack.trace` and `backward` do."""
    layers = stack.layers(theta)
    values = inputs
    traces = []
    for (weight, bias), function in zip(layers, stack.functions, strict=True):
        sums = dot(values, weight)
        sums = sums if bias is None else sums + bias
        outputs = sums if function is None else realize(function.forward(sums))
        traces.append((values, outputs if function is not None and function.by_outputs else sums))
        values = outputs
    error = values - targets
    back = loss.derivative(error) * loss.weight(error)
    parts: list[Tensor] = []
    for index in reversed(range(len(layers))):
        (before, at), function = traces[index], stack.functions[index]
        if function is not None:
            back = realize(function.backward(back, at))
        weight_gradient = dot(before.transpose(1, 2), back).flatten(1)
        parts = [weight_gradient, *([add_rows(back)] if stack.bias else []), *parts]
        if index:
            back = dot(back, layers[index].weight.transpose(1, 2))
    members = len(theta)
    return error, torch.cat([part.expand(members, -1) for part in parts], 1)


def dot(left: Tensor, right: Tensor) -> Tensor:
    """Multiply matrices `[members, rows, inner]` and `[members, inner, columns]` so that small products fuse."""
    (rows, inner), columns = left.shape[1:], right.shape[2]
    if inner <= FEW:
        return reduce(add, (left[:, :, i : i + 1] * right[:, i : i + 1] for i in range(inner)))
    if columns == 1:
        return (left * right.transpose(1, 2)).sum(2, keepdim=True)
    if rows * inner * columns <= SMALL:
        return (left.unsqueeze(3) * right.unsqueeze(1)).sum(2)
    members = max(len(left), len(right))
    return torch.bmm(left.expand(members, -1, -1), right.expand(members, -1, -1))


def add_rows(values: Tensor) -> Tensor:
    """Sum `[members, rows, columns]` over the rows."""
    return reduce(add, values.unbind(1)) if values.shape[1] <= FEW else values.sum(1)


def realize(values: Tensor) -> Tensor:
    """Have inductor store values rather than compute them anew wherever they are used: it stores what is restrided."""
    values = values.contiguous()
    return torch.as_strided(values, values.shape, values.stride())


def fill(values: Tensor, rows: int) -> Tensor:
    """Append rows of zeros."""
    return torch.cat([values, values.new_zeros(rows - len(values), *values.shape[1:])])


def split_at(values: Sequence[Tensor], place: int) -> tuple[list[Tensor], list[Tensor]]:
    """Split a sequence in two."""
    return list(values[:place]), list(values[place:])
