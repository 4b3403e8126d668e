"""A search by Optuna: ask for trials, run them together, tell their results."""

import math
from collections.abc import Callable, Sequence
from pathlib import Path

from hydra.core.config_loader import ConfigLoader
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.utils import JobReturn, JobStatus
from hydra.errors import HydraException
from hydra.plugins.launcher import Launcher
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from optuna.study import Study
from optuna.trial import Trial, TrialState

from fit.errors import FitError, refuse
from fit.hydra_adapter.job_context import task_config
from fit.hydra_adapter.private import outcome
from fit.messages import shown
from fit.search.sampler import SAMPLERS, build_sampler, grid_size
from fit.search.space import Space, read_space
from fit.search.study import FAILURE, finished_trials, open_study
from fit.settings.identity import plain
from fit.settings.names import check_names
from fit.settings.rules import check, check_settings
from fit.settings.schema import Rule, choice, whole
from fit.settings.tree import flatten
from fit.sweep.results.table import comparable_metric

RULES = {
    "n_trials": whole(1),
    "n_jobs": whole(1),
    "sampler": choice(*SAMPLERS),
    "seed": whole(0).or_null(),
    "direction": choice("minimize", "maximize").or_null(),
    "storage": Rule("a file or a database URL, or null", lambda value: value is None or bool(shown(value))),
    "study_name": Rule("a name", lambda value: isinstance(value, str) and bool(value)),
    "params": Rule("KEY: 'interval(...)' and the like", lambda value: isinstance(value, DictConfig)).or_null(),
}
BatchCheck = Callable[[Sequence[Sequence[str]]], None]


class Search:
    """One call of `hydra/sweeper=optuna`."""

    def __init__(
        self,
        config: DictConfig,
        loader: ConfigLoader,
        launcher: Launcher,
        settings: dict[str, object],
        arguments: list[str],
    ) -> None:
        """Check all settings before anything is written; raise FitError for invalid ones."""
        check_settings("hydra.sweeper", settings, RULES)
        self.config, self.loader, self.launcher, self.settings = config, loader, launcher, settings
        self.folder = Path(config.hydra.sweep.dir)
        self.space = self.parse_space(arguments)
        # Choices that Hydra can compose: checking a trial takes a tenth of a second, and its numbers do not matter.
        self.composed: set[tuple[object, ...]] = set()
        self.batch_size = int(str(settings["n_jobs"]))
        self.seed = None if settings["seed"] is None else int(str(settings["seed"]))
        self.trials_wanted = int(str(settings["n_trials"]))
        if settings["sampler"] == "grid":
            self.trials_wanted = min(self.trials_wanted, grid_size(self.space))
        self.check_corners()

    def parse_space(self, arguments: list[str]) -> Space:
        """Read the space from hydra.sweeper.params and from the command line, which takes precedence."""
        params = self.settings["params"]
        lines = flatten(params) if isinstance(params, DictConfig) else {}
        parser = OverridesParser.create(config_loader=self.loader)
        try:
            overrides = parser.parse_overrides([f"{key}={shown(value)}" for key, value in lines.items()])
        except HydraException as error:
            sentence = " ".join(str(error).split()).rstrip(".")
            raise FitError(f"hydra.sweeper.params cannot be read: {sentence}.") from None
        overrides += parser.parse_overrides(arguments)
        # The folder of a resumed search is no setting of its trials.
        return read_space(each for each in overrides if each.key_or_group != "sweep.resume")

    def check_corners(self) -> None:
        """Raise FitError for choices and ends of ranges that are not allowed."""
        if any(key.lstrip("+") == "optimized_metric" for key in self.space.searched):
            raise FitError("optimized_metric is the metric by which a search compares its trials: give one value.")
        settings = []
        for point in self.space.corners():
            trial = self.loader.load_sweep_config(self.config, self.space.overrides(point))
            check(trial)
            check_names(trial)
            settings.append(plain(task_config(trial)))
            self.composed.add(self.space.choices(point))
        metric = str(self.config.optimized_metric)
        if (better := comparable_metric(metric, settings)) != metric:
            raise FitError(
                f"optimized_metric={metric} is not in the same unit for all trials: give optimized_metric={better}."
            )

    @property
    def direction(self) -> str:
        """`minimize` or `maximize`."""
        if self.settings["direction"] is not None:
            return str(self.settings["direction"])
        return "maximize" if self.config.optimized_metric.endswith("/r2") else "minimize"

    def run(self, legal: BatchCheck) -> list[Sequence[JobReturn]]:
        """Search until enough trials are finished, earlier ones included; return the results of all launches."""
        returns = []
        name = str(self.settings["study_name"])
        with open_study(self.config, self.settings["storage"], name, self.direction, self.space) as study:
            OmegaConf.save(self.config, self.folder / "multirun.yaml")
            while (left := self.trials_wanted - len(finished_trials(study))) > 0:
                returns.append(self.run_batch(study, min(left, self.batch_size), legal))
            check_outcome(study)
        return returns

    def run_batch(self, study: Study, size: int, legal: BatchCheck) -> Sequence[JobReturn]:
        """Ask for a batch of trials, launch it, and tell the results."""
        number = self.next_number(study)
        study.sampler = build_sampler(
            str(self.settings["sampler"]), self.seed, self.space, finished_trials(study), self.batch_size
        )
        trials, batch = [], []
        for trial in [study.ask(self.space.searched) for _ in range(size)]:
            overrides, choices = self.space.overrides(trial.params), self.space.choices(trial.params)
            try:
                if choices not in self.composed:
                    legal([overrides])
            except (HydraException, OmegaConfBaseException) as error:
                fail_trial(study, trial, error)
            else:
                self.composed.add(choices)
                trials.append(trial)
                batch.append(overrides)
        results = self.launcher.launch(batch, initial_job_idx=number) if batch else []
        for trial, result in zip(trials, results, strict=True):
            report_trial(study, trial, result)
        return results

    def next_number(self, study: Study) -> int:
        """Return the first job number above those of all trials and folders."""
        folders = [int(each.name) for each in self.folder.iterdir() if each.is_dir() and each.name.isdecimal()]
        return max([len(study.get_trials(deepcopy=False)), *(each + 1 for each in folders)])


def report_trial(study: Study, trial: Trial, result: JobReturn) -> None:
    """Tell Optuna how a trial ended; one that diverged is pruned, one that failed does not stop the search."""
    value = outcome(result)
    if isinstance(value, BaseException):
        fail_trial(study, trial, value)
    elif result.status != JobStatus.COMPLETED:
        fail_trial(study, trial, FitError("it was not run"))
    elif isinstance(value, bool) or not isinstance(value, int | float):
        fail_trial(study, trial, FitError(f"it returned {value}, which is not a number"))
    elif math.isfinite(value):
        study.tell(trial, float(value))
    else:
        study.tell(trial, state=TrialState.PRUNED)


def fail_trial(study: Study, trial: Trial, error: BaseException) -> None:
    """Tell Optuna and the user that a trial failed."""
    sentence = str(error) if isinstance(error, FitError) else f"{type(error).__name__}: {error}"
    sentence = " ".join(sentence.split()).rstrip(".")
    refuse(FitError(f"trial {trial.number} failed: {sentence}."))
    trial.set_user_attr(FAILURE, sentence)
    study.tell(trial, state=TrialState.FAIL)


def check_outcome(study: Study) -> None:
    """Raise FitError if all trials failed."""
    trials = finished_trials(study)
    if all(trial.state == TrialState.FAIL for trial in trials):
        raise FitError(f"All {len(trials)} trials failed, the last one with: {trials[-1].user_attrs[FAILURE]}.")
