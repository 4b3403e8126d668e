"""The kernel's source: kernel.c, and the activations, losses and updates of the catalog as C."""

import re
from collections.abc import Iterable, Mapping
from importlib.resources import files

from fit.catalog.activations import ACTIVATIONS
from fit.catalog.losses import LOSSES
from fit.catalog.updates import UPDATES


def activation_codes() -> dict[str, str]:
    """Return the C of each activation that has one."""
    return {name: each.kernel for name, each in ACTIVATIONS.items() if each.kernel is not None}


def loss_codes() -> dict[str, str]:
    """Return the C of each loss that has one."""
    return {name: each.kernel for name, each in LOSSES.items() if each.kernel is not None}


def generated() -> str:
    """Write generated.h: three lists of cases, numbered in the order of the catalog."""
    updates = {f"{number}, {states(each.code)}": each.code for number, each in enumerate(UPDATES.values())}
    return (
        define("ACTIVATIONS", enumerate(activation_codes().values()))
        + define("LOSSES", enumerate(loss_codes().values()))
        + define("OPTIMIZERS", updates.items())
    )


def define(name: str, cases: Iterable[tuple[object, str]]) -> str:
    """Write a macro that applies another to each case."""
    lines = [f"    CASE({head}, {' '.join(code.split())})" for head, code in cases]
    return " \\\n".join([f"#define {name}(CASE)", *lines]) + "\n"


def states(code: str) -> int:
    """Return how many of s0, s1 and s2 an update uses."""
    return max((int(number) + 1 for number in re.findall(r"\bs([012])\b", code)), default=0)


def sources() -> Mapping[str, str]:
    """Return the files that are compiled together, by name."""
    return {
        "kernel.c": files("fit.kernel").joinpath("kernel.c").read_text(encoding="utf-8"),
        "generated.h": generated(),
    }
