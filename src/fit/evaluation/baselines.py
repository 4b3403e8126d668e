"""metrics.json: everything that a finished run says of itself, in numbers."""

from functools import lru_cache

from torch import Tensor

from fit.data.dataset import Rows
from fit.data.problem import Problem
from fit.evaluation.affine import least_squares, mean_answer
from fit.evaluation.errors import errors


@lru_cache(maxsize=64)  # runs of a sweep share their problems
def baselines(problem: Problem) -> dict[str, float]:
    """Return the squared error, in own units, of always answering the training mean and of the best affine function.

    Both are fitted on the training rows; `baseline/mean_mse` and `baseline/affine_mse` are measured there too, and
    `baseline/REGION/...` on each validation region.
    """
    guesses = {"mean_mse": mean_answer(problem.train), "affine_mse": least_squares(problem.train)}
    regions = {"": problem.train} | {f"{name}/": rows for name, rows in problem.fresh.items()}
    return {
        f"baseline/{region}{name}": squared_error(guess(rows.inputs), rows)
        for region, rows in regions.items()
        for name, guess in guesses.items()
    }


def squared_error(predictions: Tensor, rows: Rows) -> float:
    """Return the mean squared error over rows and targets."""
    return float(errors(predictions.unsqueeze(0), rows.targets.unsqueeze(0))["mse"][0, 0])
