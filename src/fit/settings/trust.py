"""Code that a stored configuration names: run only where it is fit's or a library's, or somebody vouches for it."""

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from fit.errors import FitError

KNOWN = ("fit.", "torch.optim.", "lightning.pytorch.loggers.")
# Settings whose value is imported, beside every _target_.
IMPORTED = ("data.function", "model.module", "model.activation", "model.output_activation", "loss")
# Settings within settings; more are a circle of references.
DEEPEST = 10


class UntrustedError(FitError):
    """A configuration that names code which nobody vouched for."""


def is_foreign(key: str, value: str) -> bool:
    """Whether a setting names code which is neither fit's own nor of a library that it knows."""
    if key in IMPORTED:
        return "." in value
    return (key.endswith("_target_") or "_target_" in value) and not value.startswith(KNOWN)


def foreign(cfg: DictConfig) -> dict[str, str]:
    """Return the settings, by dotted name, that name foreign code."""
    return {key: str(value) for key, value in leaves(cfg) if is_foreign(key, str(value))}


def names_code(model: Mapping[str, object]) -> str:
    """Return the first of a model's settings that names foreign code, as KEY=VALUE; nothing if none does."""
    named = (f"model.{key}={value}" for key, value in model.items() if is_foreign(f"model.{key}", str(value)))
    return next(named, "")


def leaves(cfg: DictConfig, prefix: str = "") -> Iterator[tuple[str, object]]:
    """Yield every setting by its dotted name as it will be read, references followed."""
    if prefix.count(".") > DEEPEST:
        raise FitError(f"{prefix.split('.')[0]} refers to itself: restore .hydra/config.yaml.")
    for key, raw in cfg.items_ex(resolve=False):
        try:
            value = cfg[key]
        except OmegaConfBaseException:  # refers to what Hydra alone knows, such as the folder that a logger writes into
            value = raw
        if isinstance(value, DictConfig) and len(value):
            yield from leaves(value, f"{prefix}{key!s}.")
        else:
            yield f"{prefix}{key!s}", value


def check_trust(cfg: DictConfig, folder: Path, how: str, vouched: Collection[str] = ()) -> None:
    """Raise UntrustedError if a folder's configuration names foreign code that was not `vouched` for as `KEY=VALUE`."""
    for key, value in foreign(cfg).items():
        if f"{key}={value}" not in {each.lstrip("+") for each in vouched}:
            raise UntrustedError(
                f"{folder} names code to be run, {key}={value}: {how.format(f'{key}={value}')} if you trust it."
            )
