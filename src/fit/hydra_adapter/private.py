"""Everything of Hydra and OmegaConf that is theirs alone, or differs between their versions."""

import inspect
from typing import Any

import hydra
from hydra._internal.callbacks import Callbacks
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.config_repository import CachingConfigRepository
from hydra._internal.core_plugins.basic_launcher import BasicLauncher
from hydra.core.utils import JobReturn
from omegaconf._utils import get_omega_conf_dumper

__all__ = [
    "MAIN",
    "VERSION",
    "BasicLauncher",
    "CachingConfigRepository",
    "Callbacks",
    "ConfigLoaderImpl",
    "get_omega_conf_dumper",
    "outcome",
]

# Hydra 1.3 wants to be told whose defaults hold; 1.4 has them by itself, and wants to know which classes a
# configuration may name: any, as what is typed is the user's own, and what a folder brings along is checked by us.
VERSION: dict[str, str] = {"version_base": "1.3"}
MAIN: dict[str, Any] = dict(VERSION)
if "execution_whitelist" in inspect.signature(hydra.main).parameters:
    VERSION = {}
    MAIN = {"execution_whitelist": getattr(hydra.utils, "UNSAFE_DISABLE_EXECUTION_CHECKS")}  # noqa: B009 -- not in 1.3


def outcome(result: JobReturn) -> object:
    """Return what a job returned or raised; the public `return_value` raises for a failed one."""
    return result._return_value
