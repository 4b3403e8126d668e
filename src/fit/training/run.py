"""One run on its way through a stack."""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

from lightning.pytorch.loggers import Logger
from omegaconf import DictConfig, OmegaConf

from fit.data.problem import Problem, build_dataset, pose
from fit.errors import FitError
from fit.folder import RunFolder
from fit.job import Job
from fit.model.architecture import Architecture, architecture
from fit.settings.identity import identity, plain
from fit.settings.machine import check_memory
from fit.settings.modern import modern
from fit.settings.resume import CHANGEABLE
from fit.training.checkpoint import Checkpoint, check_rows, load
from fit.training.recipe import build_schedule


class Best(NamedTuple):
    """A run's evaluation of lowest `val/loss`."""

    epoch: int
    loss: float


@dataclass(eq=False)
class Run:
    """What a run is, how far it has come, and which `member` of the stack is its network.

    Runs that differ in nothing but a length that their schedule does not depend on share a member.
    """

    cfg: DictConfig
    folder: RunFolder
    problem: Problem
    model: Architecture
    max_epochs: int
    evaluate_every: int
    stored: Checkpoint | None = None
    member: int = 0
    loggers: list[Logger] = field(default_factory=list)
    drawn: bool = False
    best: Best = field(default_factory=lambda: Best(0, math.inf))
    diverged_epoch: int | None = None
    stopped: bool = False
    error: Exception | None = None
    recorded: int = -1

    @cached_property
    def config(self) -> dict[str, Any]:
        """The settings as plain values, as checkpoints keep them."""
        config = OmegaConf.to_container(self.cfg, resolve=False)
        assert isinstance(config, dict)
        return {str(key): value for key, value in config.items()}

    @property
    def evaluation_before(self) -> dict[str, float]:
        """The evaluation at which the run was interrupted, if it is resumed."""
        return {} if self.stored is None else self.stored["evaluation"]

    def ended(self, epoch: int) -> bool:
        """Whether there is nothing left to train."""
        return self.stopped or self.diverged_epoch is not None or self.error is not None or epoch >= self.max_epochs

    def is_due(self, epoch: int) -> bool:
        """Whether this run is to be evaluated at an epoch, not only others that share its stack."""
        return self.ended(epoch) or epoch % self.evaluate_every == 0

    @contextmanager
    def guarded(self) -> Iterator[None]:
        """Keep what goes wrong with this run, such as a file that cannot be written, from ending others."""
        try:
            yield
        except Exception as error:
            self.error = error


def build_runs(jobs: Sequence[Job]) -> dict[Run, Job]:
    """Pose each job's problem and find what it goes on from; what cannot be done is the job's error, and no run."""
    runs, posed = {}, dict[str, Problem]()
    for job in jobs:
        try:
            key = identity(plain(job.cfg.data))
            if key not in posed:
                posed[key] = pose(build_dataset(job.cfg.data))
            runs[build_run(job, posed[key])] = job
        except (FitError, OSError) as error:
            job.error = error
    return runs


def build_run(job: Job, problem: Problem) -> Run:
    """Make a run of a job; raise FitError if its settings do not fit its data or its checkpoint."""
    cfg, folder = job.cfg, job.folder
    problem.check_region(cfg.optimized_metric)
    check_memory(cfg, len(problem.train.inputs))
    model = architecture(cfg.model, problem.train.inputs.shape[1], problem.train.targets.shape[1])
    run = Run(cfg, folder, problem, model, cfg.trainer.max_epochs, evaluate_every=cfg.trainer.check_val_every_n_epoch)
    if folder.last.exists():
        run.stored = load(folder.last)
        stored = OmegaConf.create(modern(run.stored["config"]))
        if identity(plain(stored), CHANGEABLE) != identity(plain(cfg), CHANGEABLE):
            raise FitError(f"{folder.last} has other settings than {folder.config}: one of them was changed.")
        if run.stored["sizes"] != list(model.sizes) or run.stored["theta"].shape != (model.parameters,):
            raise FitError(f"{folder.last} does not fit the model of {folder.config}: one of them was changed.")
        check_rows(run.stored, problem, folder.last)
        if run.stored["epoch"] > run.max_epochs:
            raise FitError(
                f"trainer.max_epochs={run.max_epochs} is not allowed: {folder.path} was trained for "
                f"{run.stored['epoch']} already; give at least that."
            )
    return run


def assign_members(runs: Sequence[Run]) -> list[Run]:
    """Give runs that train the same network one member, and return for each member its longest run.

    Runs of different length train the same network where the schedule does not depend on the length.
    """
    longest: dict[str, Run] = {}
    members: dict[str, int] = {}
    for run in runs:
        without = () if build_schedule(run.cfg).uses_length else ("trainer.max_epochs",)
        key = identity(plain(run.cfg), without)
        run.member = members.setdefault(key, len(members))
        if key not in longest or run.max_epochs > longest[key].max_epochs:
            longest[key] = run
    return list(longest.values())
