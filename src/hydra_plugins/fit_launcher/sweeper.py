"""The sweeper `grid`, light to import: every Hydra application scans plugins."""

from collections.abc import Sequence

from hydra.core.utils import JobReturn
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig

from fit.hydra_adapter.private import BasicSweeper
from hydra_plugins.fit_launcher import config as config


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
