"""The engines by name, and which of them trains a job: its own settings decide, never the runs that share its stack."""

from fit.errors import FitError
from fit.model.architecture import Networks
from fit.training.compiled import Compiled
from fit.training.eager import Eager
from fit.training.engine import Engine
from fit.training.functional import Functional
from fit.training.recipe import Recipe

ENGINES: dict[str, type[Engine]] = {"eager": Eager, "functional": Functional, "compiled": Compiled}
# Of `auto` the first that does not refuse.
AUTO = ("eager", "functional")


def choose_engine(stack: Networks, recipe: Recipe) -> type[Engine]:
    """Return the engine that a recipe asks for; raise FitError, in its own words, if it refuses."""
    refusal = None
    for name in AUTO if recipe.engine == "auto" else (recipe.engine,):
        refusal = ENGINES[name].refuses(stack, recipe)
        if refusal is None:
            return ENGINES[name]
    raise FitError(str(refusal))


def build_engine(stack: Networks, recipe: Recipe) -> Engine:
    """Build the engine that a recipe asks for."""
    return choose_engine(stack, recipe)(stack, recipe)
