"""The table of a sweep: every job, grouped into settings that differ only in their seeds."""

import csv
import io
import math
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from statistics import median
from typing import NamedTuple

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import QuotedString
from hydra.errors import HydraException

from fit.errors import FitError
from fit.messages import shown
from fit.settings.identity import identity
from fit.settings.tree import Settings
from fit.sweep.results.figure_data import SEEDS
from fit.sweep.results.jobs import StoredJob, stored_jobs

# Settings that change the unit of the loss.
CHANGES_LOSS_UNIT = (
    "loss",
    "data.scale_targets",
    "data.noise",
    "data.low",
    "data.high",
    "data.shift",
    "data.labels",
    "data.points",
)
STATUSES = ("finished", "diverged", "failed", "unfinished")
CSV_METRICS = (
    "val/loss",
    "val/rmse",
    "val/max_error",
    "val/r2",
    "val/nrmse",
    "train/loss",
    "train/rmse",
    "best/val/loss",
)


class Setting(NamedTuple):
    """Jobs that differ only in their seeds: their swept values, and the error of each job.

    An error is infinite if the job diverged, and NaN if it failed or did not finish.
    """

    values: dict[str, object]
    jobs: list[StoredJob]
    errors: list[float]


class SweepTable:
    """The jobs and settings of a sweep folder, ranked by a metric."""

    def __init__(self, folder: Path, metric: str) -> None:
        """Read the jobs of a sweep folder, to compare them by `metric`; raise FitError if there are none."""
        self.folder = folder
        self.jobs = stored_jobs(folder)
        if not self.jobs:
            raise FitError(f"{folder} is not a sweep folder: there is no job in it.")
        self.keys = differing_keys(self.jobs)
        # The keys that define a setting: all swept ones but seeds, unless there are no others.
        self.grouped = [key for key in self.keys if key not in SEEDS] or self.keys
        self.metric = comparable_metric(metric, [job.settings for job in self.jobs])
        self.settings = sorted(self._settings(), key=lambda setting: self.rank(setting.errors))

    @property
    def higher_is_better(self) -> bool:
        """Whether a higher value of the metric is better."""
        return self.metric.endswith("/r2")

    @property
    def best(self) -> StoredJob | None:
        """The best job of the best setting; None if no job has a finite error."""
        first = self.settings[0]
        ranked = sorted(zip(map(self.cost, first.errors), range(len(first.jobs)), strict=True))
        return first.jobs[ranked[0][1]] if math.isfinite(ranked[0][0]) else None

    def cost(self, error: float) -> float:
        """Return an error as a cost: lower is better."""
        if not math.isfinite(error):
            return math.inf
        return -error if self.higher_is_better else error

    def rank(self, errors: Sequence[float]) -> tuple[float, float]:
        """Return the median and the lowest cost, by which settings are ranked; jobs without an error count as worst."""
        costs = [self.cost(error) for error in errors]
        return median(costs), min(costs)

    def median(self, setting: Setting) -> float:
        """Return the median error of a setting; not finite if most of its jobs have no error."""
        cost = self.rank(setting.errors)[0]
        return -cost if self.higher_is_better else cost

    def error(self, job: StoredJob) -> float:
        """Return the error of a job: infinite if it diverged, NaN if it did not finish."""
        if job.status != "finished":
            return math.inf if job.status == "diverged" else math.nan
        value = job.metrics.get(self.metric)
        return float(value) if isinstance(value, int | float) else math.nan

    def count(self, status: str) -> int:
        """Return how many jobs have a status."""
        return sum(job.status == status for job in self.jobs)

    def values(self, job: StoredJob) -> dict[str, str]:
        """Return the swept settings of a job, as typed or by default."""
        return {key: job.overrides[key] if key in job.overrides else default_value(job, key) for key in self.keys}

    def csv(self) -> str:
        """Return sweep.csv, a row for each job."""
        buffer = io.StringIO()
        writer = csv.writer(buffer, lineterminator="\n")
        numbers = tuple(dict.fromkeys((*CSV_METRICS, self.metric)))
        writer.writerow(
            [
                "job",
                "status",
                *self.keys,
                *numbers,
                "epochs",
                "diverged_epoch",
                "seconds",
                "diagnosis",
                "error",
                "folder",
            ]
        )
        for job in self.jobs:
            metrics = job.metrics
            writer.writerow(
                [
                    job.folder.path.relative_to(self.folder),
                    job.status,
                    *self.values(job).values(),
                    *(metrics.get(name) for name in (*numbers, "epochs", "diverged_epoch", "seconds/fit")),
                    job.diagnosis,
                    job.error if job.status == "failed" else "",
                    job.folder.path,
                ]
            )
        return buffer.getvalue()

    def _settings(self) -> list[Setting]:
        """Group jobs that differ only in their seeds."""
        settings: dict[str, Setting] = {}
        for job in self.jobs:
            values = {key: value for key, value in self.values(job).items() if key in self.grouped}
            new = Setting({key: parse_value(value) for key, value in values.items()}, [], [])
            # Ignore seeds, unless nothing else was swept.
            without = () if set(self.grouped) & set(SEEDS) else SEEDS
            setting = settings.setdefault(identity(job.settings, without), new)
            setting.jobs.append(job)
            setting.errors.append(self.error(job))
        return list(settings.values())


def differing_keys(jobs: Sequence[StoredJob]) -> list[str]:
    """Return the keys of the overrides in which jobs differ."""
    typed: dict[str, set[str | None]] = {}
    for job in jobs:
        for key in job.overrides:
            typed.setdefault(key, set())
    for key, values in typed.items():
        values |= {job.overrides.get(key) for job in jobs}
    return [key for key, values in typed.items() if len(values) > 1]


def default_value(job: StoredJob, key: str) -> str:
    """Return a setting of a job that was not typed."""
    return shown(job.settings[key]) if key in job.settings else "default"


def comparable_metric(metric: str, jobs: Sequence[Settings]) -> str:
    """Return the metric or, if the losses of these jobs cannot be compared, an error that can.

    That is `rmse`, or `nrmse` if the jobs fit different data sets.
    """
    region, _, error = metric.partition("/")
    data = {str(job.get("data._target_")) for job in jobs}
    units = {identity({key: job.get(key) for key in CHANGES_LOSS_UNIT}) for job in jobs}
    if len(data) > 1 and error not in ("r2", "nrmse"):
        return f"{region}/nrmse"
    return f"{region}/rmse" if len(units) > 1 and error == "loss" else metric


@cache
def parse_value(typed: str) -> object:
    """Parse a value as it was typed."""
    try:
        value: object = OverridesParser.create().parse_override(f"key={typed}").value()
    except HydraException:
        return typed
    return value.text if isinstance(value, QuotedString) else value
