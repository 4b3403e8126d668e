"""How large a step an optimizer can take before the loss grows, from the curvature."""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from fit.doctor.settings import Settings

State = Mapping[str, Tensor | float | int | None]

# What an adaptive optimizer divides a gradient by, from what it remembers.
DIVISORS: dict[str, Callable[[State, Settings], Tensor]] = {
    "Adam": lambda state, cfg: root(state["exp_avg_sq"], 1 - cfg.betas[1] ** number(state["step"])) + cfg.eps,
    "RMSprop": lambda state, cfg: root(state["square_avg"]) + cfg.eps,
    "Adagrad": lambda state, cfg: root(state["sum"]) + cfg.get("eps", 1e-10),
    "Adadelta": lambda state, cfg: (
        torch.sqrt(tensor(state["square_avg"]) + cfg.eps) / torch.sqrt(tensor(state["acc_delta"]) + cfg.eps)
    ),
}
DIVISORS |= dict.fromkeys(("AdamW", "NAdam", "RAdam", "Adamax"), DIVISORS["Adam"])


def tensor(value: Tensor | float | int | None) -> Tensor:
    """Return a state's numbers in double precision."""
    return torch.as_tensor(value).double()


def number(value: Tensor | float | int | None) -> float:
    """Return a state's number."""
    return float(tensor(value))


def root(squares: Tensor | float | int | None, correction: float = 1.0) -> Tensor:
    """Return the root of a mean of squares whose start at zero is corrected for."""
    return (tensor(squares) / max(correction, 1e-12)).sqrt()


def name(optimizer: Settings) -> str:
    """Return the class of an optimizer."""
    return str(optimizer._target_).rsplit(".", 1)[1]


def is_descent(optimizer: Settings) -> bool:
    """Whether steps are along the gradient itself, with or without momentum, so that curvature alone limits them."""
    return name(optimizer) == "SGD"


def limit(optimizer: Settings, sharpness: float) -> float:
    """Return the learning rate beyond which steps along the steepest direction, of curvature `sharpness`, grow.

    2/λ for gradient descent, 2(1+β)/λ with momentum β, 2(1+β)/((1+2β)λ) with Nesterov's; for Adam and its kin λ is the
    curvature after their division, and 2(1+β₁)/((1-β₁)λ). Sources: Polyak, Some methods of speeding up the convergence
    (1964); Cohen et al., Adaptive Gradient Methods at the Edge of Stability (2022).
    """
    if sharpness <= 0:
        return float("inf")
    if is_descent(optimizer):
        momentum = float(optimizer.get("momentum") or 0.0)
        divisor = 1 + 2 * momentum if optimizer.get("nesterov") else 1.0
        return 2 * (1 + momentum) / (divisor * sharpness)
    first = float(optimizer.betas[0]) if "betas" in optimizer else 0.0
    return 2 * (1 + first) / ((1 - first) * sharpness)
