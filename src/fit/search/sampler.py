"""The samplers that choose the trials of a search."""

import itertools
import random
from collections.abc import Sequence
from typing import Any

import numpy as np
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler, RandomSampler, TPESampler
from optuna.study import Study
from optuna.trial import FrozenTrial

from fit.errors import FitError
from fit.search.space import Space, grid_values

SAMPLERS = ("tpe", "random", "grid")
LARGEST_GRID = 100_000


def build_sampler(name: str, seed: int | None, space: Space, done: Sequence[FrozenTrial], together: int) -> BaseSampler:
    """Return the sampler of one batch of trials.

    Its seed follows from the number of finished trials, so that a search that was killed resumes as if it had not been.
    """
    if name == "grid":
        tried = {tuple(trial.params[key] for key in space.searched) for trial in done}
        return GridSampler([point for point in grid_points(space, seed or 0) if tuple(point.values()) not in tried])
    state = None if seed is None else int(np.random.SeedSequence([seed, len(done)]).generate_state(1)[0])
    if name == "random":
        return RandomSampler(seed=state)
    # Trials sampled together avoid each other.
    return TPESampler(seed=state, constant_liar=together > 1)


def grid_size(space: Space) -> int:
    """Count the points of the grid; raise FitError if there is none for a range, or if there are too many."""
    size = 1
    for key, each in space.searched.items():
        values = grid_values(each)
        if values is None:
            raise FitError(
                f"{key}={space.typed[key]} cannot be searched by hydra.sweeper.sampler=grid, which tries every value: "
                "give choice(...) or range(...), or another sampler."
            )
        size *= sum(1 for _ in itertools.islice(values, LARGEST_GRID + 1))
    if size > LARGEST_GRID:
        raise FitError(
            f"hydra.sweeper.sampler=grid would need more than {LARGEST_GRID} trials: "
            "give fewer values, or another sampler."
        )
    return size


def grid_points(space: Space, seed: int) -> list[dict[str, object]]:
    """Return all points in random order, the same for the same seed."""
    values = {key: grid_values(each) or [] for key, each in space.searched.items()}
    points = [dict(zip(values, point, strict=True)) for point in itertools.product(*values.values())]
    random.Random(seed).shuffle(points)
    return points


class GridSampler(BaseSampler):
    """Sample given points in turn; Optuna's own grid sampler counts those of a killed search as tried."""

    def __init__(self, points: list[dict[str, object]]) -> None:
        """Keep the points that are left."""
        self.left = iter(points)
        self.point: dict[str, object] = {}

    def before_trial(self, study: Study, trial: FrozenTrial) -> None:
        """Go to the next point."""
        self.point = next(self.left)

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """Leave everything to sample_independent."""
        return {}

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Leave everything to sample_independent."""
        return {}

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> object:
        """Return one coordinate of the point."""
        return self.point[param_name]
