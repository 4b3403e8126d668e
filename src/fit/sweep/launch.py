"""What the launcher `stacked` does: open all jobs, train them as few stacks, close them."""

import traceback
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from shlex import quote

from hydra._internal.core_plugins.basic_launcher import BasicLauncher
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.utils import JobReturn, env_override, setup_globals
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf, open_dict, read_write

from fit.errors import MENDABLE, FitError, as_sentence
from fit.folder import RunFolder
from fit.hydra_adapter.job_context import Ceremony, task_config
from fit.interruption import Interruption, StopNow
from fit.job import Job
from fit.messages import plural
from fit.settings.identity import hydra_overrides, identity, plain, typed
from fit.settings.machine import CORES
from fit.settings.names import check_names
from fit.settings.rules import check, check_settings
from fit.settings.schema import BOOLEAN, Rule, choice, whole
from fit.sweep.grouping import Pending, group, open_files
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

    Jobs that are not fit's own, or that change the working directory, which only one can at a time, run one by one.
    """
    setup_globals()
    check_settings("hydra.launcher", settings, RULES)
    if not hasattr(task_function, "together") or config.hydra.job.chdir:
        basic = BasicLauncher()
        basic.setup(hydra_context=context, task_function=task_function, config=config)
        return basic.launch(job_overrides, first)
    return Batch(config, context, task_function, settings).run(job_overrides, first)


class Batch:
    """The jobs that a sweeper wants launched together."""

    def __init__(
        self, config: DictConfig, context: HydraContext, task_function: TaskFunction, settings: Mapping[str, object]
    ) -> None:
        """Take what Hydra hands to a launcher."""
        self.config, self.context, self.settings = config, context, settings
        self.train: Callable[..., None] = task_function.together  # type: ignore[attr-defined]
        self.folder = Path(config.hydra.sweep.dir)
        self.ceremony = Ceremony(context, task_function)
        self.jobs: list[Job] = []
        self.returns: list[JobReturn] = []
        self.stored: dict[str, list[StoredJob]] = {}
        self.taken: set[int | None] = set()
        self.swept: list[str] = []

    def run(self, job_overrides: Sequence[Sequence[str]], first: int) -> list[JobReturn]:
        """Open, train, close."""
        if self.settings["engine"] == "ray" and self.settings["ray_address"] is not None:
            from fit.sweep.ray import check_address

            check_address(str(self.settings["ray_address"]))
        if self.config.sweep.resume is not None:
            for stored in stored_jobs(self.folder):
                self.stored.setdefault(stored.identity, []).append(stored)
                self.taken |= {stored.number} - {None}
        self.swept = swept_keys(typed(self.config))
        open_files()
        try:
            with ExitStack() as locks, Interruption() as interruption:
                pending: list[Pending] = []
                for number, overrides in enumerate(job_overrides, start=first):
                    self.open(overrides, number, pending, locks)
                if not self.failed_fast and not interruption():
                    self.train_all(pending, interruption)
                self.close()
        except StopNow:
            print(f"Stopped at once. To resume: python -m fit.train -m {self.again}")
            raise SystemExit(130) from None
        if interruption():
            assert interruption.received is not None
            print(f"Interrupted. To resume: python -m fit.train -m {self.again}")
            raise SystemExit(128 + interruption.received)
        return self.returns

    @property
    def again(self) -> str:
        """What to type after -m to go on."""
        kept = [each for each in hydra_overrides(self.config) if not each.startswith("hydra.sweep.dir=")]
        return " ".join(quote(each) for each in [*kept, f"sweep.resume={self.folder}"])

    @property
    def failed_fast(self) -> bool:
        """Whether a job failed and no other is to be begun."""
        return bool(self.settings["fail_fast"]) and any(job.error is not None for job in self.jobs)

    def open(self, overrides: Sequence[str], number: int, pending: list[Pending], locks: ExitStack) -> None:
        """Open one job and note it as pending unless it is done or cannot be."""
        config = self.context.config_loader.load_sweep_config(self.config, list(overrides))
        alike = self.stored.get(identity(plain(task_config(config)))) if self.stored else None
        known = alike.pop(0) if alike else None
        with read_write(config.hydra), open_dict(config.hydra):
            config.hydra.job.id = config.hydra.job.num = self.choose_number(known, number)
        directory = known.folder.path if known else self.folder / str(config.hydra.sweep.subdir)
        if known is None and (directory / ".hydra" / "config.yaml").exists():
            raise FitError(
                f"hydra.sweep.subdir gives several jobs the folder {directory}: include ${{hydra.job.num}} in it."
            )
        environment = {str(key): str(value) for key, value in config.hydra.job.env_set.items()}
        with env_override(environment):
            cfg, returned = self.ceremony.open(config, directory)
        folder = RunFolder(directory)
        job = Job(cfg, folder, folder.log)
        self.jobs.append(job)
        self.returns.append(returned)
        try:
            if known is not None and known.metrics:
                if cfg.optimized_metric not in known.metrics:
                    raise FitError(f"optimized_metric={cfg.optimized_metric} is not in {directory}/metrics.json.")
                job.metrics = known.metrics
                return
            OmegaConf.resolve(cfg)
            check(cfg)
            if known is None:
                check_names(config)
            locks.enter_context(folder.locked())
            pending.append(Pending(job, tuple(environment.items())))
        except MENDABLE as error:
            self.fail(job, error)

    def choose_number(self, known: StoredJob | None, number: int) -> int:
        """Return the number that a job has already, or the one that is its turn, or the next free one."""
        if known is not None and known.number is not None:
            return known.number
        if number in self.taken:
            number = max(each for each in self.taken if each is not None) + 1
        self.taken.add(number)
        return number

    def train_all(self, pending: Sequence[Pending], interruption: Interruption) -> None:
        """Train what is pending, stack by stack."""
        if not pending:
            return
        from fit.training.callbacks.progress import Bar

        most, cpus = self.settings["max_members"], self.settings["ray_cpus"]
        at_once = (cpus if isinstance(cpus, int) else CORES) if self.settings["engine"] == "ray" else 1
        stacks = group(pending, most if isinstance(most, int) else None, at_once)
        told = f"{plural(len(pending), 'job')} in {plural(len(stacks), 'stack')}"
        told += f" of up to {max(map(len, stacks))}" * (len(stacks) > 1) + f", into {self.folder}"
        done = sum(bool(job.metrics) for job in self.jobs)
        told += f"; {done} of {plural(len(self.jobs), 'job')} had ended before" * (done > 0)
        print(told, flush=True)
        networks = sum(each.job.networks for each in pending)
        epochs = sum(each.job.networks * each.job.cfg.trainer.max_epochs for each in pending)
        try:
            with Bar(networks, epochs) as bar:
                if self.settings["engine"] == "ray":
                    from fit.sweep.ray import train_on_ray

                    train_on_ray(stacks, self.train, self.settings, bar, self.swept, interruption)
                    return
                for stack in stacks:
                    if not interruption() and not self.failed_fast:
                        train_stack(stack, self.train, interruption, bar, self.swept)
        finally:
            for each in pending:
                if each.job.error is not None:
                    self.fail(each.job, each.job.error)

    def fail(self, job: Job, error: Exception) -> None:
        """Note what ended a job, in its own log too."""
        job.error = error
        with suppress(OSError):
            job.folder.log(as_sentence(error), "ERROR")

    def close(self) -> None:
        """Hand every job's outcome to Hydra; a job that was not begun or not ended has none."""
        for job, returned in zip(self.jobs, self.returns, strict=True):
            if job.error is None and not job.metrics:
                job.error = FitError("The sweep was stopped before this job finished.")
            self.ceremony.close(returned, job.error or job.value)


def train_stack(
    stack: Sequence[Pending], train: Callable[..., None], interruption: Interruption, bar: object, swept: Sequence[str]
) -> None:
    """Train one stack; what goes wrong with it is the error of each of its jobs that is not done."""
    jobs = [each.job for each in stack]
    try:
        with env_override(dict(stack[0].environment)):
            train(jobs, interruption, bar, swept)
    except Exception as error:  # whatever it is, other stacks are to be trained
        for job in jobs:
            if not job.metrics and job.error is None:
                job.error = error
                if not isinstance(error, FitError | OSError | MemoryError):
                    job.tell(traceback.format_exc())


def swept_keys(overrides: Sequence[str]) -> list[str]:
    """Return the settings that the overrides of a sweep give several values."""
    parsed = OverridesParser.create().parse_overrides(list(overrides))
    return [override.key_or_group for override in parsed if override.is_sweep_override()]
