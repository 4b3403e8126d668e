"""The engines by name, and which of them trains a job: its own settings decide, never its company."""

from collections.abc import Callable

from fit.model.stack import Stack
from fit.training.compiled import Compiled
from fit.training.eager import Eager
from fit.training.engine import Engine
from fit.training.recipe import Recipe

ENGINES: dict[str, Callable[[Stack, Recipe], Engine]] = {"auto": Eager, "eager": Eager, "compiled": Compiled}


def build_engine(stack: Stack, recipe: Recipe) -> Engine:
    """Build the engine that a recipe asks for."""
    return ENGINES[recipe.engine](stack, recipe)
