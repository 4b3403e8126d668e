"""What `hydra.launcher` and `hydra.sweeper` hold, and by which names Hydra finds them."""

from dataclasses import dataclass
from typing import Any

from hydra.core.config_store import ConfigStore


@dataclass
class StackedLauncherConf:
    """What `hydra.launcher` holds; values are checked by fit.sweep.launch, whose sentences say more than types can."""

    _target_: str = "hydra_plugins.fit_launcher.launcher.StackedLauncher"
    max_members: Any = None  # members of a stack at most; null: as many as memory takes
    fail_fast: Any = False  # stop at the first job that fails; a job that diverges does not fail
    engine: Any = "local"  # local, or ray: each stack a task of a Ray cluster
    ray_address: Any = None  # of a Ray cluster that runs already; null: one of this machine's own
    ray_cpus: Any = None  # stacks trained at once, each by a processor; null: as many as this machine has


@dataclass
class GridSweeperConf:
    """What `hydra.sweeper` holds: the settings of Hydra's own basic sweeper."""

    _target_: str = "hydra_plugins.fit_launcher.sweeper.GridSweeper"
    max_batch_size: int | None = None
    params: dict[str, str] | None = None


ConfigStore.instance().store(group="hydra/launcher", name="stacked", node=StackedLauncherConf, provider="fit")
ConfigStore.instance().store(group="hydra/sweeper", name="grid", node=GridSweeperConf, provider="fit")
