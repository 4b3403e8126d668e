"""The sweeper `grid`, light to import: every Hydra application scans plugins."""

from collections.abc import Sequence

from hydra.core.utils import JobReturn
from hydra.plugins.launcher import Launcher
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig

from hydra_plugins.fit_launcher import config as config


class GridSweeper(Sweeper):
    """Run all combinations, as Hydra's basic sweeper does, but compose them faster.

    A job that fails does not stop the others.
    """

    def __init__(self, max_batch_size: int | None, params: dict[str, str] | None = None) -> None:
        """Keep how many jobs to launch together (None: all), and what to sweep beside the command line."""
        self.max_batch_size = max_batch_size
        self.params = params or {}
        self.hydra_context: HydraContext | None = None
        self.config: DictConfig | None = None
        self.launcher: Launcher | None = None

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Create the launcher, with a loader that composes each combination of groups once."""
        from hydra.core.plugins import Plugins

        from fit.hydra_adapter.loader import QuickLoader

        self.config = config
        self.loader = QuickLoader(hydra_context.config_loader)
        self.hydra_context = HydraContext(config_loader=self.loader, callbacks=hydra_context.callbacks)
        self.launcher = Plugins.instance().instantiate_launcher(
            hydra_context=self.hydra_context, task_function=task_function, config=config
        )

    def sweep(self, arguments: list[str]) -> list[Sequence[JobReturn]]:
        """Launch all combinations, batch by batch."""
        from fit.sweep.grid import run_grid

        assert self.config is not None
        assert self.launcher is not None
        typed = [*(f"{key}={value}" for key, value in self.params.items()), *arguments]
        return run_grid(self.config, self.loader, self.launcher, typed, self.max_batch_size)
