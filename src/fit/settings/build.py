"""Objects from `_target_`: only of the kind that belongs there, and of settings that their class takes."""

from collections.abc import Iterable
from importlib import import_module
from inspect import Parameter, signature
from typing import Any, TypeVar

from omegaconf import DictConfig, OmegaConf

from fit.errors import FitError
from fit.messages import nearest, shown
from fit.settings.names import OURS

Kind = TypeVar("Kind")


def import_named(setting: str, name: str, allowed: str) -> object:
    """Import what a setting names as MODULE.NAME; raise FitError, with what is `allowed`, if that cannot be."""
    module, _, attribute = name.rpartition(".")
    if not module:
        raise FitError(f"{setting}={shown(name)} is not allowed: {allowed}.")
    try:
        return getattr(import_module(module), attribute)
    except (Exception, SystemExit) as error:  # whatever importing a module may raise
        raise FitError(f"{setting}={name} cannot be imported ({type(error).__name__}: {error}): {allowed}.") from None


def find_class(group: str, settings: object, kind: type[Kind]) -> type[Kind]:
    """Return the class that `settings._target_` names; raise FitError unless it is derived from `kind`."""
    name = settings.get("_target_") if isinstance(settings, DictConfig) else None
    allowed = f"give the name of a class derived from {kind.__module__}.{kind.__name__}"
    found = import_named(f"{group}._target_", "null" if name is None else str(name), allowed)
    if not isinstance(found, type) or not issubclass(found, kind):
        raise FitError(f"{group}._target_={name} is not allowed: {allowed}.")
    return found


def arguments(settings: DictConfig) -> dict[str, Any]:
    """Return the settings of an object as plain values, `_target_` left out."""
    plain = OmegaConf.to_container(settings, resolve=True)
    assert isinstance(plain, dict)
    return {str(key): value for key, value in plain.items() if key != "_target_"}


def check_arguments(kind: type, group: str, settings: DictConfig, given: Iterable[str] = ()) -> None:
    """Raise FitError for the first setting of a group that its class does not take; what is `given` is ours to give."""
    parameters = signature(kind).parameters
    if any(each.kind is Parameter.VAR_KEYWORD for each in parameters.values()):
        return
    names = [name for name in parameters if name not in given]
    for key, value in arguments(settings).items():
        if key not in names:
            there = [name for name in names if f"{group}.{name}" not in OURS]
            raise FitError(
                f"{group}.{key}={shown(value)} is not allowed: {kind.__name__} has "
                f"{', '.join(there) or 'no settings'}{nearest(key, there)}."
            )


def build(kind: type[Kind], group: str, settings: DictConfig, **more: object) -> Kind:
    """Build an object of a class from its settings; raise FitError for settings that it does not take."""
    check_arguments(kind, group, settings, more)
    try:
        return kind(**arguments(settings), **more)
    except (TypeError, ValueError) as error:
        raise FitError(f"{group} cannot be made of {arguments(settings)}: {error}.") from None
