"""The settings of `hydra.launcher` and `hydra.sweeper`, registered with Hydra."""

from dataclasses import dataclass
from typing import Any

from hydra.core.config_store import ConfigStore


@dataclass
class StackedLauncherConf:
    """The settings of `hydra.launcher`; fit.sweep.launch checks them, with clearer messages than types give."""

    _target_: str = "hydra_plugins.fit_launcher.launcher.StackedLauncher"
    max_members: Any = None  # most members of a stack; null: as many as fit into memory
    fail_fast: Any = False  # stop at the first job that fails; a job that diverges does not fail
    engine: Any = "local"  # local, or ray: each stack a task of a Ray cluster
    ray_address: Any = None  # HOST:PORT of a running Ray cluster; null: start one on this machine
    ray_cpus: Any = None  # stacks trained at once, one on each processor; null: as many as this machine has


@dataclass
class GridSweeperConf:
    """The settings of `hydra.sweeper`, as of Hydra's basic sweeper."""

    _target_: str = "hydra_plugins.fit_launcher.sweeper.GridSweeper"
    max_batch_size: int | None = None
    params: dict[str, str] | None = None


ConfigStore.instance().store(group="hydra/launcher", name="stacked", node=StackedLauncherConf, provider="fit")
ConfigStore.instance().store(group="hydra/sweeper", name="grid", node=GridSweeperConf, provider="fit")
