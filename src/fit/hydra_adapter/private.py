"""Everything of Hydra and OmegaConf that is theirs alone: it may change with any of their versions."""

from hydra._internal.callbacks import Callbacks
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.config_repository import CachingConfigRepository
from hydra._internal.core_plugins.basic_launcher import BasicLauncher
from hydra.core.utils import JobReturn
from omegaconf._utils import get_omega_conf_dumper

__all__ = [
    "BasicLauncher",
    "CachingConfigRepository",
    "Callbacks",
    "ConfigLoaderImpl",
    "get_omega_conf_dumper",
    "outcome",
]


def outcome(result: JobReturn) -> object:
    """Return what a job returned or raised; `return_value` would print and raise for one that failed."""
    return result._return_value
