"""Any elementwise torch optimizer, stepping every member of a stack with a learning rate of its own."""

import inspect
from collections.abc import Mapping
from copy import deepcopy
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from fit.errors import FitError

Settings = Mapping[str, Any]  # whatever an optimizer takes
State = dict[str, Tensor | float | int | None]


class MemberOptimizer:
    """A torch optimizer over `theta [members, parameters]` whose step each member takes times its own rate.

    In the elementwise optimizers of torch a step is the learning rate times something that does not depend on it, so
    the optimizer runs with a rate of 1 and every member goes its rate's part of the way.
    """

    def __init__(self, kind: type[Optimizer], theta: nn.Parameter, settings: Settings) -> None:
        """Build the optimizer of class `kind` with `settings`, its learning rate left out."""
        self.theta = theta
        self.optimizer = build(kind, theta, 1.0, settings)
        # The bare step: torch wraps it in profiling that takes as long as the arithmetic of a small network.
        self._step = inspect.unwrap(kind.step)
        self._before = torch.empty_like(theta.data)

    def step(self, rates: Tensor) -> None:
        """Step with learning rates `[members, 1]` along `theta.grad`; to be called under `torch.no_grad`."""
        theta = self.theta.data
        self._before.copy_(theta)
        self._step(self.optimizer)
        torch.lerp(self._before, theta, rates, out=theta)

    def member_state(self, member: int) -> State:
        """Copy what the optimizer remembers of one member: its row of what has the shape of theta, else the number."""
        state = self.optimizer.state[self.theta]
        return {key: self._part(value, member) for key, value in state.items()}

    def load_member_states(self, states: list[State]) -> None:
        """Take up again what `member_state` copied, one for each member."""
        row = self.theta.shape[1:]
        self.optimizer.state[self.theta] = {
            key: torch.stack([state[key] for state in states]).to(self.theta.device)  # type: ignore[misc]
            if isinstance(value, Tensor) and value.shape == row
            else deepcopy(value)
            for key, value in states[0].items()
        }

    def _part(self, value: Tensor | float | int | None, member: int) -> Tensor | float | int | None:
        """Copy a member's part of something that the optimizer remembers."""
        if not isinstance(value, Tensor):
            return value
        return (value[member] if value.shape == self.theta.shape else value).detach().cpu().clone()


def build(kind: type[Optimizer], theta: nn.Parameter, lr: float, settings: Settings) -> Optimizer:
    """Build an optimizer of one tensor; raise FitError for settings that it does not take."""
    try:
        return kind([theta], **{**settings, "lr": lr})
    except Exception as error:  # whatever a class makes of settings that it does not take
        raise FitError(f"optimizer: {kind.__name__} cannot be made of {dict(settings)}: {error}.") from None


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
