"""Going on with a run: what its folder must hold, and what may change."""

import zipfile
from pathlib import Path

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from fit.errors import FitError
from fit.messages import shown
from fit.settings.modern import modern
from fit.settings.tree import flatten

# What leaves the past of a run as it was.
CHANGEABLE = (
    "trainer.max_epochs",
    "trainer.check_val_every_n_epoch",
    "trainer.accelerator",
    "trainer.num_threads",
    "early_stopping.patience",
    "optimized_metric",
    "doctor",
    "logger",
    "engine",
    "figures",
)


def resumed(cfg: DictConfig, typed: list[str]) -> DictConfig:
    """Return the stored configuration of the run `cfg.resume`, changed by what was `typed` where that may change.

    Raises FitError when the folder is no run, its checkpoint is damaged, or a typed setting does not fit it.
    """
    folder = Path(str(cfg.resume))
    stored = read_config(folder)
    check_checkpoint(folder)
    new, old = (
        {leaf: value for leaf, value in flatten(each).items() if not leaf.startswith("hydra.")}
        for each in (cfg, stored)
    )
    changed = set()
    for override in typed:
        key = override.split("=")[0].lstrip("+~").split("@")[0]
        named = {leaf for leaf in new.keys() | old.keys() if leaf == key or leaf.startswith(key + ".")}
        for leaf in sorted((named or new.keys() | old.keys()) - {"resume"}):
            changeable = next((each for each in CHANGEABLE if leaf == each or leaf.startswith(each + ".")), None)
            if changeable:
                changed.add(changeable)
            elif new.get(leaf) != old.get(leaf):
                raise FitError(
                    f"{leaf}={shown(new.get(leaf))} does not fit {folder}, which was started with "
                    f"{leaf}={shown(old.get(leaf))}: what may change is {', '.join(CHANGEABLE)}."
                )
    for each in changed:
        OmegaConf.update(stored, each, OmegaConf.select(cfg, each), merge=False, force_add=True)
    stored.resume = str(folder)
    return stored


def read_config(folder: Path) -> DictConfig:
    """Read the configuration that a run folder was started with."""
    path = folder / ".hydra" / "config.yaml"
    if not folder.is_dir() or not path.is_file():
        raise FitError(
            f"resume={folder} is not a run folder: give one that holds .hydra/config.yaml, under outputs/runs."
        )
    try:
        stored = OmegaConf.load(path)
        # One of a run has no `hydra`, which would take the place of the present one.
        known = {"data", "model", "optimizer", "trainer", "seed"}
        if isinstance(stored, DictConfig) and known <= set(stored) and "hydra" not in stored:
            return modern(stored)
    except (YAMLError, OmegaConfBaseException, UnicodeDecodeError):
        pass
    raise FitError(f"resume={folder} cannot be resumed: {path} is not the configuration of a run.")


def check_checkpoint(folder: Path) -> None:
    """Raise FitError when the last checkpoint is cut off or damaged; none at all is a run that starts again."""
    path = folder / "checkpoints" / "last.ckpt"
    if not path.exists():
        return
    if not is_whole(path):
        raise FitError(
            f"resume={folder} cannot be resumed: {path} is cut off or damaged. "
            "Delete it and resume again to train from the start."
        )


def is_whole(path: Path) -> bool:
    """Whether an archive is whole; a file that cannot be opened raises, as that is no damage."""
    with path.open("rb") as file:
        try:
            with zipfile.ZipFile(file) as archive:
                return archive.testzip() is None
        except (zipfile.BadZipFile, OSError, EOFError, ValueError):
            return False
