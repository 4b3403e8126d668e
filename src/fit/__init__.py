"""Fit functions with small neural networks.

    import fit

    run = fit.run("data=xy_square", "model=mlp_gelu", "trainer.max_epochs=200")
    run.metrics["val/r2"], run.history["val/loss"], run.plot()
    run.diagnosis["findings"]                    # why it failed, and what cures it; none for a good fit
    run.predict([[1.5, -2.0, 1.0]])              # [rows, inputs] -> [rows, targets], in the data's own units

    run = fit.run("model=mlp_gelu", data=(x, y))                                 # arrays
    run = fit.run("data.targets=[c]", data=frame)                                # a DataFrame
    run = fit.run("data=xy_square", verbose=False)                               # nothing printed
    run = fit.load("outputs/runs/...")                                           # a run folder
    table = fit.run_sweep("optimizer.lr=1e-3,1e-2", "seed=range(0,5)")           # a DataFrame, a row for each job
    model = fit.FitRegressor(hidden=(64,), activation="gelu").fit(x, y)          # a scikit-learn estimator

Invalid settings, files and data raise `fit.FitError`, whose message is one sentence, the same as the command prints.
"""

from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fit.api import FittedRun as FittedRun
    from fit.api import load as load
    from fit.api import run as run
    from fit.api import run_sweep as run_sweep
    from fit.errors import FitError as FitError
    from fit.sklearn import FitRegressor as FitRegressor

__version__ = "0.1.0"
# The module of each name, imported on first use: importing fit takes no time.
_PLACES = {
    "FitError": "fit.errors",
    "FitRegressor": "fit.sklearn",
    "FittedRun": "fit.api",
    "load": "fit.api",
    "run": "fit.api",
    "run_sweep": "fit.api",
}
__all__ = ["FitError", "FittedRun", "load", "run", "run_sweep"]
if find_spec("sklearn") is not None:
    __all__ += ["FitRegressor"]


def __getattr__(name: str) -> object:
    """Import a name on first use."""
    if name not in _PLACES:
        raise AttributeError(f"module 'fit' has no attribute {name!r}")
    try:
        return getattr(import_module(_PLACES[name]), name)
    except Exception as error:
        from fit.errors import FitError, LackingError

        if isinstance(error, FitError):  # hasattr and the like expect an AttributeError
            raise LackingError(str(error)) from None
        raise


def __dir__() -> list[str]:
    """List all names."""
    return sorted([*globals(), *__all__])
