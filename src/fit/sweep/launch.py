"""The launcher `stacked`: open all jobs, train them in as few stacks as possible, close them."""

import traceback
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from shlex import quote

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.utils import JobReturn, env_override, setup_globals
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf, open_dict, read_write

from fit.errors import MENDABLE, FitError, as_sentence
from fit.execute import run_jobs
from fit.folder import RunFolder
from fit.hydra_adapter.job_context import JobContext, task_config
from fit.hydra_adapter.private import BasicLauncher
from fit.interruption import Interruption, StopNow
from fit.job import Job
from fit.messages import plural
from fit.settings.identity import hydra_overrides, identity, plain, typed
from fit.settings.machine import CORES
from fit.settings.names import check_names
from fit.settings.rules import check, check_settings
from fit.settings.schema import BOOLEAN, Rule, choice, whole
from fit.sweep.grouping import group_jobs, raise_file_limit
from fit.sweep.results.jobs import StoredJob, stored_jobs

RULES = {
    "max_members": whole(1).or_null(),
    "fail_fast": BOOLEAN,
    "engine": choice("local", "ray"),
    "ray_address": Rule("the address of a Ray cluster", lambda value: isinstance(value, str) and bool(value)).or_null(),
    "ray_cpus": whole(1).or_null(),
}


def launch(
    config: DictConfig,
    context: HydraContext,
    task_function: TaskFunction,
    settings: Mapping[str, object],
    job_overrides: Sequence[Sequence[str]],
    first: int,
) -> Sequence[JobReturn]:
    """Run the jobs of a batch, numbered from `first`, and return their results in order.

    Jobs of other applications, and jobs that change the working directory, run one by one.
    """
    setup_globals()
    check_settings("hydra.launcher", settings, RULES)
    if not getattr(task_function, "stackable", False) or config.hydra.job.chdir:
        basic = BasicLauncher()
        basic.setup(hydra_context=context, task_function=task_function, config=config)
        return basic.launch(job_overrides, first)
    return JobBatch(config, context, task_function, settings).run(job_overrides, first)


class JobBatch:
    """The jobs that a sweeper launches together."""

    def __init__(
        self, config: DictConfig, context: HydraContext, task_function: TaskFunction, settings: Mapping[str, object]
    ) -> None:
        """Take what Hydra hands to a launcher."""
        self.config, self.context, self.settings = config, context, settings
        self.folder = Path(config.hydra.sweep.dir)
        self.job_context = JobContext(context, task_function)
        self.jobs: list[Job] = []
        self.returns: list[JobReturn] = []
        self.stored: dict[str, list[StoredJob]] = {}
        self.taken_numbers: set[int | None] = set()
        self.swept: list[str] = []

    def run(self, job_overrides: Sequence[Sequence[str]], first: int) -> list[JobReturn]:
        """Open, train and close the jobs."""
        if self.settings["engine"] == "ray" and self.settings["ray_address"] is not None:
            from fit.sweep.ray import check_address

            check_address(str(self.settings["ray_address"]))
        if self.config.sweep.resume is not None:
            for stored in stored_jobs(self.folder):
                self.stored.setdefault(stored.identity, []).append(stored)
                self.taken_numbers |= {stored.number} - {None}
        self.swept = swept_keys(typed(self.config))
        raise_file_limit()
        try:
            with Interruption() as interruption:
                pending = [
                    job
                    for number, overrides in enumerate(job_overrides, start=first)
                    if (job := self.open_job(overrides, number)) is not None
                ]
                if pending and not self.failed_fast and not interruption():
                    self.train_all(pending, interruption)
                self.close()
        except StopNow:
            print(f"Stopped at once. To resume: python -m fit.train -m {self.resume_command}")
            raise SystemExit(130) from None
        if interruption():
            print(f"Interrupted. To resume: python -m fit.train -m {self.resume_command}")
            raise SystemExit(interruption.exit_code)
        return self.returns

    @property
    def resume_command(self) -> str:
        """What to type after -m to resume."""
        kept = [each for each in hydra_overrides(self.config) if not each.startswith("hydra.sweep.dir=")]
        return " ".join(quote(each) for each in [*kept, f"sweep.resume={self.folder}"])

    @property
    def failed_fast(self) -> bool:
        """Whether a job failed and no other may start."""
        return bool(self.settings["fail_fast"]) and any(job.error is not None for job in self.jobs)

    def open_job(self, overrides: Sequence[str], number: int) -> Job | None:
        """Open one job; return it unless it is finished already or its settings are invalid."""
        config = self.context.config_loader.load_sweep_config(self.config, list(overrides))
        matches = self.stored.get(identity(plain(task_config(config)))) if self.stored else None
        known = matches.pop(0) if matches else None
        with read_write(config.hydra), open_dict(config.hydra):
            config.hydra.job.num = self.choose_number(known, number)
            config.hydra.job.id = str(config.hydra.job.num)
        directory = known.folder.path if known else self.folder / str(config.hydra.sweep.subdir)
        if known is None and (directory / ".hydra" / "config.yaml").exists():
            raise FitError(
                f"hydra.sweep.subdir gives several jobs the folder {directory}: include ${{hydra.job.num}} in it."
            )
        environment = {str(key): str(value) for key, value in config.hydra.job.env_set.items()}
        with env_override(environment):
            cfg, returned = self.job_context.open(config, directory)
        folder = RunFolder(directory)
        job = Job(cfg, folder, folder.log, tuple(environment.items()))
        self.jobs.append(job)
        self.returns.append(returned)
        try:
            if known is not None and known.metrics:
                if cfg.optimized_metric not in known.metrics:
                    raise FitError(f"optimized_metric={cfg.optimized_metric} is not in {directory}/metrics.json.")
                job.metrics = known.metrics
                return None
            OmegaConf.resolve(cfg)
            check(cfg)
            if known is None:
                check_names(config)
        except MENDABLE as error:
            self.record_failure(job, error)
            return None
        return job

    def choose_number(self, known: StoredJob | None, number: int) -> int:
        """Return the number that a job already has, else `number`, or the next free one."""
        if known is not None and known.number is not None:
            return known.number
        if number in self.taken_numbers:
            number = max(each for each in self.taken_numbers if each is not None) + 1
        self.taken_numbers.add(number)
        return number

    def train_all(self, pending: Sequence[Job], interruption: Interruption) -> None:
        """Train the pending jobs, stack by stack."""
        most, cpus, on_ray = self.settings["max_members"], self.settings["ray_cpus"], self.settings["engine"] == "ray"
        at_once = (cpus if isinstance(cpus, int) else CORES) if on_ray else 1
        stacks = group_jobs(pending, most if isinstance(most, int) else None, at_once)
        message = f"{plural(len(pending), 'job')} in {plural(len(stacks), 'stack')}"
        message += f" of up to {max(map(len, stacks))}" * (len(stacks) > 1) + f", into {self.folder}"
        done = sum(bool(job.metrics) for job in self.jobs)
        message += f"; {done} of {plural(len(self.jobs), 'job')} already finished" * (done > 0)
        print(message, flush=True)
        try:
            if on_ray:
                from fit.sweep.ray import train_on_ray

                train_on_ray(stacks, self.settings, self.swept, interruption)
            else:
                fail_fast = bool(self.settings["fail_fast"])
                run_jobs(stacks, interruption=interruption, swept=self.swept, fail_fast=fail_fast)
        finally:
            for job in pending:
                if job.error is not None:
                    self.record_failure(job, job.error)

    def record_failure(self, job: Job, error: Exception) -> None:
        """Record the error that ended a job, in its log too."""
        job.error = error
        with suppress(OSError):
            if not isinstance(error, MENDABLE):
                job.folder.log("".join(traceback.format_exception(error)))
            job.folder.log(as_sentence(error), "ERROR")

    def close(self) -> None:
        """Give Hydra the outcome of every job; one that did not finish has failed."""
        for job, returned in zip(self.jobs, self.returns, strict=True):
            if job.error is None and not job.metrics:
                job.error = FitError("The sweep was stopped before this job finished.")
            self.job_context.close(returned, job.error or job.value)


def swept_keys(overrides: Sequence[str]) -> list[str]:
    """Return the keys to which the overrides of a sweep give several values."""
    parsed = OverridesParser.create().parse_overrides(list(overrides))
    return [override.key_or_group for override in parsed if override.is_sweep_override()]
