"""The command line: Hydra, with its errors as single sentences."""

import io
import logging
import os
import sys
import threading
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from traceback import extract_tb

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import ChoiceSweep, QuotedString, Sweep
from hydra.errors import ConfigCompositionException, HydraException, MissingConfigException, OverrideParseException
from hydra.types import RunMode
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from fit.determinism import fix_products
from fit.errors import FitError, as_sentence, refuse
from fit.hydra_adapter.private import MAIN, VERSION
from fit.messages import nearest
from fit.settings.tree import flatten

PLUGINS = {
    "hydra/launcher=stacked": "hydra_plugins.fit_launcher.launcher",
    "hydra/sweeper=grid": "hydra_plugins.fit_launcher.sweeper",
    "hydra/sweeper=optuna": "hydra_plugins.fit_optuna_sweeper",
}
PACKAGE = Path(__file__).parents[1]
# The configurations are inside an installed package, but beside src in a checkout.
CONF = PACKAGE / "conf" if (PACKAGE / "conf").is_dir() else PACKAGE.parents[1] / "conf"


def command(task: Callable[[DictConfig], object]) -> None:
    """Run `task` under Hydra on the command line; a user error ends in one sentence and exit code 2."""
    fix_products()
    # Makes Hydra raise its errors instead of printing them.
    os.environ["HYDRA_FULL_ERROR"] = "1"
    # A terminal that cannot show a character, or was closed, is no reason to fail.
    logging.raiseExceptions = False
    # TensorBoard writes in its own thread, which passes its errors on to the main thread.
    threading.excepthook = print_thread_error
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")
    try:
        check_choices(sys.argv[1:])
        hydra.main(config_path=str(CONF), config_name="train", **MAIN)(task)()
    except BrokenPipeError:  # who reads it has enough, and Python would say so once more at its end
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except (HydraException, OmegaConfBaseException, YAMLError) as error:
        sys.exit(refuse(FitError(describe_error(error))))
    except UnicodeDecodeError as error:
        if not any("config_source" in frame.filename for frame in extract_tb(error.__traceback__)):
            raise
        sys.exit(refuse(FitError(describe_error(error))))
    except (FitError, OSError, MemoryError) as error:
        sys.exit(refuse(error))
    except KeyboardInterrupt:
        sys.exit(130)


def check_choices(typed: Sequence[str]) -> None:
    """Raise FitError for a group whose value is not the name of an option, which Hydra would not report well."""
    parser = OverridesParser.create()
    for line in typed:
        try:
            override = parser.parse_override(line)
        except HydraException:  # an argument such as -m, or an error that Hydra reports
            continue
        value = override.value()
        for choice in value.list if isinstance(value, ChoiceSweep) else [value]:
            names = choice if isinstance(choice, list) else [choice]
            # Hydra merges a mapping into the group, and reports sweeps and deletions itself.
            named = override.is_delete() or all(isinstance(name, str | QuotedString | Sweep | dict) for name in names)
            if is_group(override.key_or_group) and not named:
                options = ", ".join(options_of(override.key_or_group)) or "its options"
                raise FitError(f"{line} is not allowed: give one of {options}.")


def is_group(key: str) -> bool:
    """Whether a key selects an option of a group."""
    return "/" in key or ("." not in key and (CONF / key).is_dir())


def options_of(group: str) -> list[str]:
    """Return the names of a group's options in the package."""
    return sorted(path.stem for path in (CONF / group).glob("*.yaml"))


def options_with(key: str) -> list[str]:
    """Return the options GROUP=NAME that have a setting of a group which the chosen one lacks."""
    group, _, name = key.partition(".")
    files = sorted((CONF / group).glob("*.yaml")) if name else []
    return [f"{group}={path.stem}" for path in files if f"\n{name}:" in f"\n{path.read_text(encoding='utf-8')}"]


def print_thread_error(failure: threading.ExceptHookArgs) -> None:
    """Print the error of a thread, as Python does, unless it is an OSError, which reaches the main thread too."""
    if not isinstance(failure.exc_value, OSError):
        threading.__excepthook__(failure)


def run_path() -> str:
    """Return the folder of the current job, relative if it is below the working directory."""
    path = Path(HydraConfig.get().runtime.output_dir)
    return str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)


def hydra_config() -> DictConfig:
    """Return Hydra's configuration of the current job."""
    config: object = HydraConfig.get()
    assert isinstance(config, DictConfig)
    return config


def alone() -> bool:
    """Whether the current job is a single run, not part of a sweep."""
    return bool(HydraConfig.get().mode == RunMode.RUN)


def describe_error(error: Exception) -> str:
    """Return an error of Hydra or OmegaConf as one sentence, with the alternatives."""
    if isinstance(error, MissingConfigException) and "/" in (error.missing_cfg_file or ""):
        group, _, name = (error.missing_cfg_file or "").rpartition("/")
        if f"{group}={name}" in PLUGINS:  # Hydra ignores a plugin that it cannot import
            try:
                import_module(PLUGINS[f"{group}={name}"])
            except Exception as cause:
                return f"{group}={name} cannot be imported: {as_sentence(cause)}."
        options = error.options or options_of(group)
        return f"{group}={name} does not exist: give one of {', '.join(options)}{nearest(name, options)}."
    if isinstance(error, OverrideParseException):
        return f"{error.override} cannot be read as KEY=VALUE: quote what has brackets, commas or spaces."
    if isinstance(error, YAMLError | UnicodeDecodeError):
        return f"A configuration file cannot be read as YAML: {' '.join(str(error).split())}."
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    if isinstance(error, ConfigCompositionException) and lines and "Could not" in lines[0]:
        key = lines[0].split("'")[1] if "'" in lines[0] else lines[0]
        if is_group(key):
            return (
                f"{key} has no such settings: give one of {', '.join(options_of(key))}, "
                f"and its settings as {key}.NAME=VALUE."
            )
        if key == "compile":
            return "compile is no setting any more: engine=auto compiles the steps by itself, engine=eager does not."
        if options := options_with(key):
            return f"{key} is a setting of {', '.join(options)}: give that as well, or leave it out."
        return f"{key} is not a setting{nearest(key, known_settings())}; see python -m fit.train --help."
    if lines and lines[0].startswith(("Ambiguous value", "Sweep parameters")):
        typed = lines[0].partition("'")[2].rpartition("'")[0]
        return f"{typed} is several values: add -m to sweep over them."
    return lines[0].rstrip(".") + "." if lines else type(error).__name__


def known_settings() -> list[str]:
    """Return the names of all settings of the default configuration, and of all groups."""
    from hydra import compose, initialize_config_dir

    with initialize_config_dir(str(CONF), **VERSION):
        return [*flatten(compose("train")), *(path.name for path in CONF.iterdir() if path.is_dir())]
