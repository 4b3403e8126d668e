"""Running every combination of a grid, batch by batch."""

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.utils import JobReturn, JobStatus
from hydra.plugins.launcher import Launcher
from omegaconf import DictConfig, OmegaConf

from fit.errors import FitError
from fit.folder import RunFolder
from fit.hydra_adapter.loader import QuickLoader
from fit.hydra_adapter.private import BasicSweeper


def run(
    config: DictConfig, loader: QuickLoader, launcher: Launcher, arguments: list[str], together: int | None
) -> list[Sequence[JobReturn]]:
    """Launch all jobs, so many `together`; one that fails ends nothing but itself.

    Raises FitError for a grid without a point.
    """
    overrides = OverridesParser.create(config_loader=loader).parse_overrides(arguments)
    for override in overrides:
        if override.is_discrete_sweep() and not list(override.sweep_string_iterator()):
            raise FitError(f"{override.input_line} has no value, so there is no job: give at least one.")
    # Where a sweep is gone on with is no setting of its jobs.
    own = [override for override in overrides if override.key_or_group != "sweep.resume"]
    batches = BasicSweeper.split_arguments(own, together)
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
            # What ends before a job was begun leaves nothing behind but what was there before.
            if new and not any(path.is_dir() for path in folder.iterdir()):
                (folder / "multirun.yaml").unlink()
                with suppress(OSError):
                    folder.rmdir()
            raise
    return returns
