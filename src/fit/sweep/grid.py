"""Running all combinations of a grid, batch by batch."""

import itertools
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.core.utils import JobReturn, JobStatus
from hydra.errors import HydraException
from hydra.plugins.launcher import Launcher
from omegaconf import DictConfig, OmegaConf

from fit.errors import FitError
from fit.folder import RunFolder
from fit.hydra_adapter.loader import QuickLoader


def run_grid(
    config: DictConfig, loader: QuickLoader, launcher: Launcher, arguments: list[str], together: int | None
) -> list[Sequence[JobReturn]]:
    """Launch all jobs in batches of `together` (None: all at once); a job that fails does not stop the others.

    Raises FitError for an empty grid.
    """
    overrides = OverridesParser.create(config_loader=loader).parse_overrides(arguments)
    for override in overrides:
        if override.is_discrete_sweep() and not list(override.sweep_string_iterator()):
            raise FitError(f"{override.input_line} has no value, so there is no job: give at least one.")
    # The folder of a resumed sweep is no setting of its jobs.
    own = [override for override in overrides if override.key_or_group != "sweep.resume"]
    jobs = combinations(own)
    batches = [jobs[start : start + (together or len(jobs))] for start in range(0, len(jobs), together or len(jobs))]
    for batch in batches:
        loader.validate(config, batch)
    folder = Path(config.hydra.sweep.dir)
    folder.mkdir(parents=True, exist_ok=True)
    returns: list[Sequence[JobReturn]] = []
    new = not (folder / "multirun.yaml").exists()
    with RunFolder(folder).locked():
        OmegaConf.save(config, folder / "multirun.yaml")
        try:
            for batch in batches:
                returns.append(launcher.launch(batch, initial_job_idx=sum(len(each) for each in returns)))
                failed = any(job.status == JobStatus.FAILED for job in returns[-1])
                if failed and config.hydra.launcher.get("fail_fast") is True:
                    break
        except Exception:
            # A sweep that ends before any job has started leaves nothing new behind.
            if new and not any(path.is_dir() for path in folder.iterdir()):
                (folder / "multirun.yaml").unlink()
                with suppress(OSError):
                    folder.rmdir()
            raise
    return returns


def combinations(overrides: Sequence[Override]) -> list[list[str]]:
    """Return the overrides of each job; the last one counts of a key given twice."""
    lists: dict[str, list[str]] = {}
    for override in overrides:
        key = override.get_key_element()
        if not override.is_sweep_override():
            lists[key] = [f"{key}={override.get_value_element_as_str()}"]
        elif override.is_discrete_sweep():
            lists[key] = [f"{key}={value}" for value in override.sweep_string_iterator()]
        else:
            raise HydraException(f"{override.input_line} is a range: give single values, or hydra/sweeper=optuna.")
    return [list(job) for job in itertools.product(*lists.values())]
