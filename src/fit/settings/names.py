"""Which settings there are: one that nothing reads is refused, as it would seem to have been used."""

import re
from collections.abc import Iterator

from omegaconf import DictConfig, OmegaConf

from fit.errors import FitError
from fit.messages import nearest, shown
from fit.settings.rules import GROUPS, RULES
from fit.settings.tree import flatten

# Groups that hold what the class takes that they name: it is asked when it is built. Hydra knows its own settings.
OPEN = ("data", "optimizer", "scheduler", "logger", "hydra")
# What we say ourselves to the data of a cross-validation's folds.
OURS = ("data.folds", "data.fold")
REFERENCE = re.compile(r"\$\{([^{}]*)}")


def check_names(cfg: DictConfig, *others: DictConfig) -> None:
    """Raise FitError for the first setting that nothing reads.

    One that another refers to, as ${name}, is read; `others` hold more such references, as hydra.run.dir may.
    """
    strange = list(unknown_settings(cfg))
    if not strange:
        return
    read = {name for each in (cfg, *others) for name in references(each)}
    for key, value in strange:
        if not any(f"{key}.".startswith(f"{name}.") or f"{name}.".startswith(f"{key}.") for name in read):
            raise unknown(key, value, cfg)


def unknown_settings(cfg: DictConfig) -> Iterator[tuple[str, object]]:
    """Yield the settings, by dotted name as they stand there, that are none of ours."""
    for group, node in cfg.items_ex(resolve=False):
        assert isinstance(group, str)
        if group in OPEN:
            given = [key for key in OURS if key.startswith(f"{group}.") and key.partition(".")[2] in node]
            yield from ((key, node[key.partition(".")[2]]) for key in given)
        elif group in GROUPS and isinstance(node, DictConfig):
            for key, value in node.items_ex(resolve=False):
                if f"{group}.{key!s}" not in RULES:
                    yield from leaves(f"{group}.{key!s}", value)
        elif group not in RULES:
            yield from leaves(group, node)


def leaves(key: str, value: object) -> Iterator[tuple[str, object]]:
    """Yield a setting, or what it holds."""
    if isinstance(value, DictConfig) and not value._is_none() and len(value):
        yield from ((f"{key}.{leaf}", each) for leaf, each in flatten(value).items())
    else:
        yield key, value


def references(cfg: DictConfig) -> Iterator[str]:
    """Yield the names of settings that others refer to."""
    for inside in REFERENCE.findall(OmegaConf.to_yaml(cfg, resolve=False)):
        yield from re.findall(r"[\w.]+", inside)  # in ${oc.select:name,default} too


def unknown(key: str, value: object, cfg: DictConfig) -> FitError:
    """Say that there is no such setting, and which there are."""
    group, _, name = key.partition(".")
    if key in OURS:
        return FitError(f"{key}={shown(value)} is not a setting: give cv, which trains every fold.")
    if group not in GROUPS:
        return FitError(
            f"{key}={shown(value)} is not a setting{nearest(key, list(RULES))}; see python -m fit.train --help."
        )
    there = [str(each) for each in cfg[group] if each != "_target_" and f"{group}.{each}" in RULES]
    return FitError(f"{key}={shown(value)} is not a setting: {group} has {', '.join(there)}{nearest(name, there)}.")
