"""Settings by their dotted names."""

from collections.abc import Mapping

from omegaconf import DictConfig

Settings = dict[str, object]


def flatten(cfg: DictConfig) -> dict[str, object]:
    """Return every setting by its dotted name; lists are settings."""
    flat: dict[str, object] = {}
    for key, value in cfg.items_ex(resolve=False):
        name = str(key)
        if isinstance(value, DictConfig) and len(value):
            flat |= {f"{name}.{leaf}": each for leaf, each in flatten(value).items()}
        else:
            flat[name] = value
    return flat


def flat(tree: Mapping[str, object], prefix: str = "") -> Settings:
    """Flatten nested mappings into dotted names."""
    settings: Settings = {}
    for key, value in tree.items():
        if isinstance(value, Mapping) and value:
            settings |= flat(value, f"{prefix}{key}.")
        else:
            settings[f"{prefix}{key}"] = value
    return settings
