"""Hydra's `hydra/launcher=stacked` and `hydra/sweeper=grid`, light to import: every Hydra application scans plugins."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.config_store import ConfigStore
from hydra.core.utils import JobReturn
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig


@dataclass
class StackedLauncherConf:
    """What `hydra.launcher` holds; values are checked by fit.sweep.launch, whose sentences say more than types can."""

    _target_: str = "hydra_plugins.fit_stacked_launcher.StackedLauncher"
    max_members: Any = None  # members of a stack at most; null: as many as memory takes
    fail_fast: Any = False  # stop at the first job that fails; a job that diverges does not fail
    engine: Any = "local"  # local, or ray: each stack a task of a Ray cluster
    ray_address: Any = None  # of a Ray cluster that runs already; null: one of this machine's own
    ray_cpus: Any = None  # stacks trained at once, each by a processor; null: as many as this machine has


@dataclass
class GridSweeperConf:
    """What `hydra.sweeper` holds: the settings of Hydra's own basic sweeper."""

    _target_: str = "hydra_plugins.fit_stacked_launcher.GridSweeper"
    max_batch_size: int | None = None
    params: dict[str, str] | None = None


ConfigStore.instance().store(group="hydra/launcher", name="stacked", node=StackedLauncherConf, provider="fit")
ConfigStore.instance().store(group="hydra/sweeper", name="grid", node=GridSweeperConf, provider="fit")


class StackedLauncher(Launcher):
    """Train all jobs of a batch as few stacks; jobs of other applications run one after the other."""

    def __init__(self, **settings: object) -> None:
        """Take the settings as they are: an error in here would be told as a failed import."""
        self.settings = settings

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Keep what a job takes."""
        self.hydra_context, self.task_function, self.config = hydra_context, task_function, config

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        """Run the jobs and return their results, in order."""
        from fit.sweep.launch import launch

        return launch(
            self.config, self.hydra_context, self.task_function, self.settings, job_overrides, initial_job_idx
        )


class GridSweeper(BasicSweeper):
    """Hydra's basic sweeper, composing quickly, and going on where a job failed."""

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Make the launcher, with a loader that composes each combination of groups once."""
        from fit.hydra_adapter.loader import QuickLoader

        self.loader = QuickLoader(hydra_context.config_loader)
        quick = HydraContext(config_loader=self.loader, callbacks=hydra_context.callbacks)
        super().setup(hydra_context=quick, task_function=task_function, config=config)

    def sweep(self, arguments: list[str]) -> list[Sequence[JobReturn]]:
        """Launch every combination, batch by batch."""
        from fit.sweep.grid import run

        assert self.config is not None
        assert self.launcher is not None
        return run(self.config, self.loader, self.launcher, self._parse_config() + arguments, self.max_batch_size)
