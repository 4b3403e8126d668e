"""The updates that the kernel knows, by the class of torch's optimizers: what each remembers, and its step in C.

A new one is one entry here. Tests compare each with torch's own.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

Numbers = np.ndarray[tuple[int, ...], np.dtype[np.float64]]
# Settings that change how an optimizer's step is computed, and nothing of its numbers.
WITHOUT_EFFECT = ("lr", "foreach", "fused", "capturable", "differentiable")

Settings = Mapping[str, Any]  # of an optimizer: all that its class takes
State = dict[str, Any]  # what it remembers beside a number for each weight


@dataclass(frozen=True)
class Update:
    """A step, as C in vectors: from the gradient g, with a learning rate of 1, to `step`, which is taken away.

    `remembers` names what it keeps for each weight: s0, s1, s2 in C. `constants` are h[0], h[1], ...; `numbers` are
    k[0] to k[3] `[steps, at most 4]` of the steps counted from 1, and may go on from what the state holds. `takes` are
    the settings that it knows: with others an optimizer is not this one. `counts`: torch keeps the number of steps.
    """

    code: str
    remembers: Callable[[Settings], tuple[str, ...]]
    constants: Callable[[Settings], tuple[float, ...]]
    numbers: Callable[[Settings, Numbers, State], tuple[Numbers, ...]]
    takes: tuple[str, ...]
    counts: bool = True


def adam_numbers(settings: Settings, steps: Numbers, state: State) -> tuple[Numbers, ...]:
    """Return the corrections of both means for their start at zero."""
    first, second = settings["betas"]
    return 1 / (1 - first**steps), 1 / np.sqrt(1 - second**steps)


def nadam_numbers(settings: Settings, steps: Numbers, state: State) -> tuple[Numbers, ...]:
    """Return the weights of the gradient and of its mean, and the correction of the squares' mean.

    Source: Dozat, Incorporating Nesterov Momentum into Adam (2016).
    """
    first, second = settings["betas"]
    momentum, ahead = (first * (1 - 0.5 * 0.96 ** (each * settings["momentum_decay"])) for each in (steps, steps + 1))
    # In single precision, number by number, as torch has it: it must not depend on where one call ends.
    products = np.multiply.accumulate(np.array([state.get("mu_product", 1.0), *momentum], np.float32))[1:]
    state["mu_product"] = products[-1]
    product = products.astype(np.float64)
    return (1 - momentum) / (1 - product), ahead / (1 - product * ahead), 1 / np.sqrt(1 - second**steps)


def radam_numbers(settings: Settings, steps: Numbers, state: State) -> tuple[Numbers, ...]:
    """Return the rectified size of the step, and whether it is divided by the squares' mean.

    Source: Liu et al., On the Variance of the Adaptive Learning Rate and Beyond (2020).
    """
    first, second = settings["betas"]
    bias, squares_bias = 1 - first**steps, 1 - second**steps
    longest = 2 / (1 - second) - 1
    length = longest - 2 * steps * second**steps / squares_bias
    adaptive = length > 5
    known = np.where(adaptive, length, 6.0)
    part = (known - 4) * (known - 2) * longest / ((longest - 4) * (longest - 2) * known)
    return np.where(adaptive, np.sqrt(part * squares_bias), 1.0) / bias, adaptive.astype(np.float64)


def momentum_numbers(settings: Settings, steps: Numbers, state: State) -> tuple[Numbers, ...]:
    """Return how much is kept of the momentum and how much is added: all of the first gradient."""
    first = steps == 1
    return np.where(first, 0.0, settings["momentum"]), np.where(first, 1.0, 1 - settings["dampening"])


def beta_constants(settings: Settings) -> tuple[float, ...]:
    """Return 1 - beta of the gradient, beta and 1 - beta of its square, and epsilon."""
    first, second = settings["betas"]
    return 1 - first, second, 1 - second, settings["eps"]


def none(settings: Settings, steps: Numbers, state: State) -> tuple[Numbers, ...]:
    """Return nothing: every step is the same."""
    return ()


MEANS = "s0 = fma_(all(h[0]), g - s0, s0); s1 = fma_(h[2] * g, g, h[1] * s1);"
ADAM = Update(
    MEANS + "step = k[0] * s0 / fma_(root(s1), all(k[1]), all(h[3]));",
    lambda settings: ("exp_avg", "exp_avg_sq"),
    beta_constants,
    adam_numbers,
    ("betas", "eps", "decoupled_weight_decay"),
)
AMSGRAD = Update(
    MEANS + "s2 = most(s2, s1); step = k[0] * s0 / fma_(root(s2), all(k[1]), all(h[3]));",
    lambda settings: ("exp_avg", "exp_avg_sq", "max_exp_avg_sq"),
    beta_constants,
    adam_numbers,
    ("betas", "eps", "amsgrad", "decoupled_weight_decay"),
)
UPDATES = {
    "SGD": Update(
        """
            step = g;
            if (h[0] != 0) {
                s0 = fma_(all(k[1]), g, k[0] * s0);
                step = h[1] != 0 ? fma_(all(h[0]), s0, g) : s0;
            }
        """,
        lambda settings: ("momentum_buffer",) if settings["momentum"] else (),
        lambda settings: (settings["momentum"], float(settings["nesterov"])),
        momentum_numbers,
        ("momentum", "dampening", "nesterov"),
        counts=False,
    ),
    "Adam": ADAM,
    "AdamW": ADAM,
    "Adam amsgrad": AMSGRAD,
    "AdamW amsgrad": AMSGRAD,
    "NAdam": Update(
        MEANS + "step = (k[0] * g + k[1] * s0) / fma_(root(s1), all(k[2]), all(h[3]));",
        lambda settings: ("exp_avg", "exp_avg_sq"),
        beta_constants,
        nadam_numbers,
        ("betas", "eps", "momentum_decay", "decoupled_weight_decay"),
    ),
    "RAdam": Update(
        MEANS + "step = k[0] * s0; if (k[1] != 0) step /= root(s1) + h[3];",
        lambda settings: ("exp_avg", "exp_avg_sq"),
        beta_constants,
        radam_numbers,
        ("betas", "eps", "decoupled_weight_decay"),
    ),
    "Adamax": Update(
        """
            s0 = fma_(all(h[0]), g - s0, s0);
            s1 = most(h[1] * s1, absolute(g) + h[3]);
            step = k[0] * s0 / s1;
        """,
        lambda settings: ("exp_avg", "exp_inf"),
        beta_constants,
        adam_numbers,
        ("betas", "eps"),
    ),
    "RMSprop": Update(
        """
            s0 = fma_(h[1] * g, g, h[0] * s0);
            vec squares = s0;
            if (h[4] != 0) s2 = fma_(all(h[1]), g - s2, s2), squares = s0 - s2 * s2;
            step = g / (root(squares) + h[2]);
            if (h[3] != 0) step = s1 = fma_(all(h[3]), s1, step);
        """,
        lambda settings: (
            "square_avg",
            "momentum_buffer" if settings["momentum"] else "",
            "grad_avg" if settings["centered"] else "",
        ),
        lambda settings: (
            settings["alpha"],
            1 - settings["alpha"],
            settings["eps"],
            settings["momentum"],
            float(settings["centered"]),
        ),
        none,
        ("alpha", "eps", "momentum", "centered"),
    ),
    "Adagrad": Update(
        "s0 = fma_(g, g, s0); step = k[0] * g / (root(s0) + h[0]);",
        lambda settings: ("sum",),
        lambda settings: (settings["eps"],),
        lambda settings, steps, state: (1 / (1 + (steps - 1) * settings["lr_decay"]),),
        ("eps", "lr_decay", "initial_accumulator_value"),
    ),
    "Adadelta": Update(
        """
            s0 = fma_(h[1] * g, g, h[0] * s0);
            step = root(s1 + h[2]) / root(s0 + h[2]) * g;
            s1 = fma_(h[1] * step, step, h[0] * s1);
        """,
        lambda settings: ("square_avg", "acc_delta"),
        lambda settings: (settings["rho"], 1 - settings["rho"], settings["eps"]),
        none,
        ("rho", "eps"),
    ),
}


def find_update(name: str, settings: Settings) -> str | None:
    """Return the key of an optimizer's update with all its settings; None where there is none that does the same."""
    key = f"{name} amsgrad" if settings.get("amsgrad") else name
    if key not in UPDATES or settings.get("eps", 1.0) < 1e-30:  # what fills up a vector would be 0 / 0
        return None
    left = {each: value for each, value in settings.items() if each not in (*WITHOUT_EFFECT, *UPDATES[key].takes)}
    return key if not any(left.values()) else None
