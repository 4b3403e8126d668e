"""Any elementwise torch optimizer, stepping every member of a stack with a learning rate of its own."""

import inspect
from collections.abc import Mapping, Sequence
from contextlib import suppress
from copy import deepcopy
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from fit.errors import FitError

Settings = Mapping[str, Any]  # whatever an optimizer takes
# What an optimizer remembers of one member, or of all: tensors, and numbers that all members share.
State = dict[str, Tensor | float | int | None]


class MemberOptimizer:
    """A torch optimizer over `theta [members, parameters]` whose step each member takes times its own rate.

    In the elementwise optimizers of torch a step is the learning rate times something that does not depend on it, so
    the optimizer runs with a rate of 1 and every member goes its rate's part of the way.
    """

    def __init__(
        self, kind: type[Optimizer], theta: nn.Parameter, settings: Settings, weight_decay: Sequence[float] = ()
    ) -> None:
        """Build the optimizer of class `kind` with `settings`; learning rates and weight decays are the members' own.

        Where members have a weight decay, that of `settings` is 0. Raises FitError for settings that it does not take.
        """
        self.theta = theta
        self.weight_decay = torch.tensor(list(weight_decay), dtype=theta.dtype, device=theta.device)[:, None]
        self.decays = any(weight_decay)
        self.decoupled = self.decays and is_decay_decoupled(kind, settings)
        self.optimizer = build(kind, theta, 1.0, settings)
        if kind is torch.optim.RAdam and settings.get("foreach") is None:
            # Written for one tensor, it makes several new ones in every step; written for many, it works in place.
            self.optimizer.param_groups[0]["foreach"] = True
        # The bare step: torch wraps it in profiling that takes as long as the arithmetic of a small network.
        self._step = inspect.unwrap(kind.step)
        self._before = torch.empty_like(theta.data)

    def step(self, rates: Tensor) -> None:
        """Step with learning rates `[members, 1]` along `theta.grad`; to be called under `torch.no_grad`."""
        theta = self.theta.data
        if self.decays and not self.decoupled:
            assert self.theta.grad is not None
            self.theta.grad = self.theta.grad + self.weight_decay * theta
        self._before.copy_(theta)
        self._step(self.optimizer)
        if self.decoupled:
            theta -= self.weight_decay * self._before
        torch.lerp(self._before, theta, rates, out=theta)

    def keep(self, members: list[int]) -> None:
        """Forget all members but these."""
        shape = self.theta.shape
        self.theta.grad = None
        self.theta.data = self.theta.data[members]
        self.weight_decay = self.weight_decay[members]
        state = self.optimizer.state[self.theta]
        for key, value in state.items():
            if isinstance(value, Tensor) and value.shape == shape:
                state[key] = value[members]
        self._before = torch.empty_like(self.theta.data)

    def states(self) -> State:
        """Copy what the optimizer remembers, of all members."""
        state = self.optimizer.state[self.theta]
        return {key: value.detach().clone() if isinstance(value, Tensor) else value for key, value in state.items()}

    def load(self, states: Sequence[State]) -> None:
        """Take up again what was remembered of each member."""
        row = self.theta.shape[1:]
        self.optimizer.state[self.theta] = {
            key: torch.stack([state[key] for state in states]).to(self.theta.device)  # type: ignore[misc]
            if isinstance(value, Tensor) and value.shape == row
            else deepcopy(value)
            for key, value in states[0].items()
        }


def member_state(states: State, theta: Tensor, member: int) -> State:
    """Pick one member of an optimizer's state: its row of what has the shape of `theta`, else the number."""
    return {
        key: (value[member] if value.shape == theta.shape else value).cpu().clone()
        if isinstance(value, Tensor)
        else value
        for key, value in states.items()
    }


def is_decay_decoupled(kind: type[Optimizer], settings: Settings) -> bool:
    """Whether weight decay shrinks the weights beside the step rather than through the gradient, found by trying.

    Source: Loshchilov and Hutter, Decoupled Weight Decay Regularization (2019). Raises FitError if it does neither.
    """
    generator = torch.Generator().manual_seed(0)
    start, gradient = (torch.randn(1, 5, dtype=torch.float64, generator=generator) for _ in range(2))

    def end(settings: Settings, decay_gradient: float, decay_weights: float) -> Tensor:
        """Take two steps from `start` with weight decay as asked."""
        theta = nn.Parameter(start.clone(), requires_grad=False)
        optimizer = build(kind, theta, 1.0, settings)
        for _ in range(2):
            before = theta.data.clone()
            theta.grad = gradient + decay_gradient * before
            optimizer.step()
            theta.data -= decay_weights * before
        return theta.data

    theirs = end({**settings, "weight_decay": 0.1}, 0.0, 0.0)
    bare = {**settings, "weight_decay": 0.0}
    for decoupled, ours in ((False, end(bare, 0.1, 0.0)), (True, end(bare, 0.0, 0.1))):
        if torch.allclose(ours, theirs, rtol=1e-9):
            return decoupled
    raise FitError(
        f"optimizer.weight_decay is not possible with {kind.__name__}: it applies weight decay in a way of its own."
    )


def build(kind: type[Optimizer], theta: nn.Parameter, lr: float, settings: Settings) -> Optimizer:
    """Build an optimizer of one tensor; raise FitError for settings that it does not take."""
    try:
        return kind([theta], **{**settings, "lr": lr})
    except Exception as error:  # whatever a class makes of settings that it does not take
        raise FitError(refusal(kind, theta, settings, error)) from None


def refusal(kind: type[Optimizer], theta: nn.Parameter, settings: Settings, error: Exception) -> str:
    """Say which setting an optimizer cannot be made of: the one without which it can."""
    known = [key for key in inspect.signature(kind).parameters if key != "params"]
    for key, value in settings.items():
        if key not in known:
            return f"optimizer.{key}={value} is not allowed: {kind.__name__} has {', '.join(known)}."
        with suppress(Exception):
            default = kind([theta], **{name: each for name, each in settings.items() if name != key}).defaults[key]
            reason = f" ({error})" if isinstance(error, ValueError) else ""
            return f"optimizer.{key}={value} is not possible with {kind.__name__}{reason}: its default is {default}."
    return f"optimizer: {kind.__name__} cannot be made of {dict(settings)}: {error}."


def check_proportional(kind: type[Optimizer], settings: Settings) -> None:
    """Raise FitError unless steps are elementwise and proportional to the learning rate, found by trying a few."""
    full, half, alone = (
        nn.Parameter(torch.zeros(rows, 5, dtype=torch.float64), requires_grad=False) for rows in (2, 2, 1)
    )
    optimizers = [build(kind, theta, lr, settings) for theta, lr in ((full, 1.0), (half, 0.5), (alone, 1.0))]
    generator = torch.Generator().manual_seed(0)
    # Long enough for a step size that grows to meet its limit, for which half the gradients keep their sign.
    for _ in range(30):
        start, gradient = (torch.randn(2, 5, dtype=torch.float64, generator=generator) for _ in range(2))
        gradient[:, :2].abs_()
        for theta, optimizer in zip((full, half, alone), optimizers, strict=True):
            theta.data, theta.grad = start[: len(theta)].clone(), gradient[: len(theta)].clone()
            try:
                optimizer.step()
            except Exception as error:  # a closure is missing, a setting is of the wrong kind, ...
                raise FitError(f"optimizer: {kind.__name__} with {dict(settings)} cannot step: {error}.") from None
        step = full - start
        if not torch.allclose(2 * (half - start), step, rtol=1e-9) or not torch.allclose(alone, full[:1], rtol=1e-9):
            raise FitError(
                f"optimizer._target_={kind.__name__} is not elementwise with steps proportional to its learning rate: "
                "choose one that is, such as torch.optim.Adam."
            )
