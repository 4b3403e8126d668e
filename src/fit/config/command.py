"""The command line: Hydra, with its errors told as sentences."""

import io
import logging
import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import ConfigCompositionException, HydraException, MissingConfigException, OverrideParseException
from hydra.types import RunMode
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from fit.config.resume import flatten
from fit.config.rules import nearest
from fit.errors import FitError, refuse

PACKAGE = Path(__file__).parents[1]
# In an installed package the configurations lie inside it, in a checkout beside src.
CONF = PACKAGE / "conf" if (PACKAGE / "conf").is_dir() else PACKAGE.parents[1] / "conf"


def command(task: Callable[[DictConfig], object]) -> None:
    """Run `task` under Hydra on what was typed; a person's mistake ends in one sentence and exit code 2."""
    # Matrix products whose last bits depend on neither company nor memory addresses; MKL reads it at its first product.
    os.environ.setdefault("MKL_CBWR", "AUTO,STRICT")
    # Hydra then hands its errors to us instead of printing them.
    os.environ["HYDRA_FULL_ERROR"] = "1"
    # A terminal that lacks a letter, or is gone, is no reason to fail.
    logging.raiseExceptions = False
    # TensorBoard writes in a thread of its own, and what it cannot write it tells the main one.
    threading.excepthook = leave_files_to_the_main_thread
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")
    try:
        hydra.main(version_base="1.3", config_path=str(CONF), config_name="train")(task)()
    except (HydraException, OmegaConfBaseException, YAMLError, UnicodeDecodeError) as error:
        sys.exit(refuse(FitError(sentence(error))))
    except (FitError, OSError, MemoryError) as error:
        sys.exit(refuse(error))
    except ValueError as error:
        if "Config group override" not in str(error):
            raise
        sys.exit(
            refuse(FitError("A group is chosen by the name of one of its options: see python -m fit.train --help."))
        )
    except KeyboardInterrupt:
        sys.exit(130)


def leave_files_to_the_main_thread(failure: threading.ExceptHookArgs) -> None:
    """Print what ended a thread, as Python does, unless it was a file: that the main thread hears of, too."""
    if not isinstance(failure.exc_value, OSError):
        threading.__excepthook__(failure)


def run_path() -> str:
    """Return the folder that Hydra made for the present job, as it is best typed: relative where it is below us."""
    path = Path(HydraConfig.get().runtime.output_dir)
    return str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)


def alone() -> bool:
    """Whether the present job is a run of its own, not one of a sweep."""
    return bool(HydraConfig.get().mode == RunMode.RUN)


def sentence(error: Exception) -> str:
    """Say what Hydra or OmegaConf found wrong, with what there is instead."""
    if isinstance(error, MissingConfigException) and error.options:
        group, _, name = (error.missing_cfg_file or "").rpartition("/")
        return f"{group}={name} does not exist: give one of {', '.join(error.options)}{nearest(name, error.options)}."
    if isinstance(error, OverrideParseException):
        return f"{error.override} cannot be read as KEY=VALUE: quote what has brackets, commas or spaces."
    if isinstance(error, YAMLError | UnicodeDecodeError):
        return f"A configuration file cannot be read as YAML: {' '.join(str(error).split())}."
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    if isinstance(error, ConfigCompositionException) and lines and "Could not" in lines[0]:
        key = lines[0].split("'")[1] if "'" in lines[0] else lines[0]
        return f"{key} is not a setting{nearest(key, known_settings())}; see python -m fit.train --help."
    return lines[0].rstrip(".") + "." if lines else type(error).__name__


def known_settings() -> list[str]:
    """Return the names of all settings of the default configuration, and of the groups."""
    from hydra import compose, initialize_config_dir

    with initialize_config_dir(str(CONF), version_base="1.3"):
        return [*flatten(compose("train")), *(path.name for path in CONF.iterdir() if path.is_dir())]
