"""Objects from `_target_`: only of the kind that belongs there, whatever a configuration file says."""

from importlib import import_module
from typing import Any, TypeVar

from omegaconf import DictConfig, OmegaConf

from fit.errors import FitError

Kind = TypeVar("Kind")


def find_class(group: str, settings: object, kind: type[Kind]) -> type[Kind]:
    """Return the class that `settings._target_` names; raise FitError unless it is derived from `kind`."""
    name = settings.get("_target_") if isinstance(settings, DictConfig) else None
    try:
        module, _, attribute = str(name).rpartition(".")
        found = getattr(import_module(module), attribute)
    except Exception:  # whatever importing a module may raise
        found = None
    if not isinstance(found, type) or not issubclass(found, kind):
        allowed = f"{kind.__module__}.{kind.__name__}"
        raise FitError(f"{group}._target_={name} is not allowed: give the name of a class derived from {allowed}.")
    return found


def arguments(settings: DictConfig) -> dict[str, Any]:
    """Return the settings of an object as plain values, `_target_` left out."""
    plain = OmegaConf.to_container(settings, resolve=True)
    assert isinstance(plain, dict)
    return {str(key): value for key, value in plain.items() if key != "_target_"}


def build(kind: type[Kind], group: str, settings: DictConfig, **more: object) -> Kind:
    """Build an object of a class from its settings; raise FitError for settings that it does not take."""
    try:
        return kind(**arguments(settings), **more)
    except (TypeError, ValueError) as error:
        raise FitError(f"{group} cannot be made of {arguments(settings)}: {error}.") from None
