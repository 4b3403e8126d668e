"""A job: one configuration to be fitted into one folder, and what came of it."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field

from omegaconf import DictConfig

from fit.folder import RunFolder


@dataclass(eq=False)
class Job:
    """What is asked for: `cfg`, `folder`, and `log`, which prints or writes down what a person reads; and its outcome.

    `metrics` is what metrics.json holds; with neither metrics nor `error` the job was interrupted.
    """

    cfg: DictConfig
    folder: RunFolder
    log: Callable[[str], object]
    environment: tuple[tuple[str, str], ...] = ()
    metrics: dict[str, object] = field(default_factory=dict)
    error: Exception | None = None

    @property
    def networks(self) -> int:
        """How many networks it asks for: the folds of a cross-validation, the members of an ensemble, or one."""
        return int(self.cfg.cv or self.cfg.ensemble or 1)

    @property
    def value(self) -> float:
        """The number that a sweep compares: infinity where the loss stopped being finite."""
        value = self.metrics[self.cfg.optimized_metric]
        return float(value) if isinstance(value, float) and not self.metrics["diverged"] else math.inf
