"""The launcher `stacked`, light to import: every Hydra application scans plugins."""

from collections.abc import Sequence

from hydra.core.utils import JobReturn
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig

from hydra_plugins.fit_launcher import config as config


class StackedLauncher(Launcher):
    """Train all jobs of a batch in as few stacks as possible; run jobs of other applications one after the other."""

    def __init__(self, **settings: object) -> None:
        """Keep the settings unchecked: Hydra would report an error here as a failed import."""
        self.settings = settings

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Keep what a job needs."""
        self.hydra_context, self.task_function, self.config = hydra_context, task_function, config

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        """Run the jobs and return their results, in order."""
        from fit.sweep.launch import launch

        return launch(
            self.config, self.hydra_context, self.task_function, self.settings, job_overrides, initial_job_idx
        )
