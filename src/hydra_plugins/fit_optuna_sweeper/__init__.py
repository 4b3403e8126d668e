"""Hydra's `hydra/sweeper=optuna`: a search by Optuna, light to import, as every Hydra application scans plugins."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hydra.core.config_store import ConfigStore
from hydra.core.utils import JobReturn
from hydra.plugins.launcher import Launcher
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig

from fit.errors import missing_extra


@dataclass
class OptunaSweeperConf:
    """The settings of `hydra.sweeper`; fit.search.search checks them, with clearer messages than types give."""

    _target_: str = "hydra_plugins.fit_optuna_sweeper.OptunaSweeper"
    n_trials: Any = 40  # including those of a resumed search
    n_jobs: Any = 8  # trials sampled and launched together
    sampler: Any = "tpe"  # tpe, random or grid
    seed: Any = 0  # null: a different search every time
    direction: Any = None  # minimize or maximize; null: maximize where optimized_metric is an r2
    storage: Any = None  # a file or a database URL; null: study.db in the sweep folder
    study_name: Any = "fit"
    params: Any = None  # what is searched, as KEY: "interval(...)"; the command line comes after it


ConfigStore.instance().store(group="hydra/sweeper", name="optuna", node=OptunaSweeperConf, provider="fit")


class OptunaSweeper(Sweeper):
    """Ask Optuna for trials, let the launcher run them, and tell Optuna the results."""

    def __init__(self, **settings: object) -> None:
        """Keep the settings unchecked: Hydra would report an error here as a failed import."""
        self.settings = settings
        self.hydra_context: HydraContext | None = None
        self.config: DictConfig | None = None
        self.launcher: Launcher | None = None

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Create the launcher."""
        from hydra.core.plugins import Plugins

        self.hydra_context = hydra_context
        self.config = config
        self.launcher = Plugins.instance().instantiate_launcher(
            hydra_context=hydra_context, task_function=task_function, config=config
        )

    def sweep(self, arguments: list[str]) -> list[Sequence[JobReturn]]:
        """Search, and return the results of all batches."""
        try:
            from fit.search.search import Search
        except ImportError as error:
            if not (error.name or "").startswith("optuna"):
                raise
            raise missing_extra("hydra/sweeper=optuna", "optuna", error) from None
        assert self.hydra_context is not None
        assert self.config is not None
        assert self.launcher is not None
        search = Search(self.config, self.hydra_context.config_loader, self.launcher, self.settings, arguments)
        return search.run(self.validate_batch_is_legal)
