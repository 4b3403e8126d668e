"""Which engine trains a job: its own settings decide, never the runs that share its stack."""

from importlib import import_module
from typing import NamedTuple

import torch

from fit.catalog.engines import AUTO, ENGINES
from fit.errors import FitError
from fit.model.architecture import Networks
from fit.training.engine import Engine
from fit.training.recipe import Recipe


class Choice(NamedTuple):
    """The engine of a job, and with engine=auto why it is not the first."""

    kind: type[Engine]
    reason: str | None = None

    def __str__(self) -> str:
        """Write it in a line."""
        return f"{self.kind.name} ({AUTO[0]} {self.reason})" if self.reason else self.kind.name


def choose_engine(stack: Networks, recipe: Recipe, device: torch.device) -> Choice:
    """Return the engine that a recipe asks for on a device; raise FitError, with its own reason, if it refuses."""
    reasons: list[str] = []
    for name in AUTO if recipe.engine == "auto" else (recipe.engine,):
        module, _, kind = ENGINES[name].rpartition(".")
        engine: type[Engine] = getattr(import_module(module), kind)
        reason = engine.refuses(stack, recipe, device)
        if reason is None:
            return Choice(engine, *reasons[:1])
        reasons.append(reason)
    raise FitError(f"engine={recipe.engine} {reasons[-1]}; give engine=auto.")


def build_engine(stack: Networks, recipe: Recipe) -> Engine:
    """Build the engine that a recipe asks for."""
    return choose_engine(stack, recipe, stack.theta.device).kind(stack, recipe)
