"""Which engine trains a job: its own settings decide, never the runs that share its stack."""

from importlib import import_module

from fit.catalog.engines import AUTO, ENGINES
from fit.errors import FitError
from fit.model.architecture import Networks
from fit.training.engine import Engine
from fit.training.recipe import Recipe


def choose_engine(stack: Networks, recipe: Recipe) -> type[Engine]:
    """Return the engine that a recipe asks for; raise FitError, in its own words, if it refuses."""
    refusal = None
    for name in AUTO if recipe.engine == "auto" else (recipe.engine,):
        module, _, kind = ENGINES[name].rpartition(".")
        engine: type[Engine] = getattr(import_module(module), kind)
        refusal = engine.refuses(stack, recipe)
        if refusal is None:
            return engine
    raise FitError(str(refusal))


def build_engine(stack: Networks, recipe: Recipe) -> Engine:
    """Build the engine that a recipe asks for."""
    return choose_engine(stack, recipe)(stack, recipe)
