"""What is known of torch's optimizers, by the name of their class: how they step, and what limits their steps.

An optimizer that is not here trains all the same: the doctor then says less of its steps.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from fit.messages import class_name

# What an optimizer remembers, and what `optimizer` holds in a configuration.
State = Mapping[str, Any]
Settings = Mapping[str, Any]


@dataclass(frozen=True)
class Optimizer:
    """How an optimizer steps.

    `descent`: along the gradient itself, with or without momentum. `adaptive`: each weight moves by about the learning
    rate, whatever the gradient's size. `divisor`: what a gradient is divided by, from what the optimizer remembers (in
    double precision) and its settings. `limit`: the learning rate times the curvature along the steepest direction
    (after that division) beyond which steps grow.
    """

    limit: Callable[[Settings], float]
    descent: bool = False
    adaptive: bool = False
    divisor: Callable[[State, Settings], Any] | None = None


def descent_limit(settings: Settings) -> float:
    """Return 2 for gradient descent, 2(1+β) with momentum β, 2(1+β)/(1+2β) with Nesterov's.

    Source: Polyak, Some methods of speeding up the convergence of iteration methods (1964).
    """
    momentum = float(settings.get("momentum") or 0.0)
    return 2 * (1 + momentum) / (1 + 2 * momentum if settings.get("nesterov") else 1.0)


def adaptive_limit(settings: Settings) -> float:
    """Return 2(1+β₁)/(1-β₁), with β₁ = 0 where there is none.

    Source: Cohen et al., Adaptive Gradient Methods at the Edge of Stability (2022).
    """
    first = float(settings["betas"][0]) if "betas" in settings else 0.0
    return 2 * (1 + first) / (1 - first)


def adam_divisor(state: State, settings: Settings) -> Any:  # noqa: ANN401
    """Return the root of the squared gradients' mean, corrected for its start at zero."""
    correction = max(1 - settings["betas"][1] ** float(state["step"]), 1e-12)
    return (state["exp_avg_sq"].double() / correction).sqrt() + settings["eps"]


ADAM = Optimizer(adaptive_limit, adaptive=True, divisor=adam_divisor)
OPTIMIZERS = {
    "SGD": Optimizer(descent_limit, descent=True),
    "Adam": ADAM,
    "AdamW": ADAM,
    "NAdam": ADAM,
    "RAdam": ADAM,
    "Adamax": Optimizer(adaptive_limit, adaptive=True, divisor=lambda state, settings: state["exp_inf"].double()),
    "RMSprop": Optimizer(
        adaptive_limit,
        adaptive=True,
        divisor=lambda state, settings: state["square_avg"].double().sqrt() + settings["eps"],
    ),
    "Adagrad": Optimizer(
        adaptive_limit,
        divisor=lambda state, settings: state["sum"].double().sqrt() + settings.get("eps", 1e-10),
    ),
    "Adadelta": Optimizer(
        adaptive_limit,
        divisor=lambda state, settings: (
            (state["square_avg"].double() + settings["eps"]).sqrt()
            / (state["acc_delta"].double() + settings["eps"]).sqrt()
        ),
    ),
}
UNKNOWN = Optimizer(adaptive_limit)


def optimizer_of(settings: Settings) -> Optimizer:
    """Return what is known of the optimizer that a configuration names."""
    return OPTIMIZERS.get(class_name(settings["_target_"]), UNKNOWN)
