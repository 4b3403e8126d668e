"""A run's settings as plain values: a diagnosis reads and changes them hundreds of times."""

from collections.abc import Mapping
from copy import deepcopy
from typing import Any, Self

from omegaconf import DictConfig, OmegaConf


class Settings(dict[str, Any]):
    """Settings by name, also as attributes; groups are Settings too."""

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401
        """Return a setting; raise AttributeError if there is none."""
        try:
            return self[name]
        except KeyError:
            raise AttributeError(name) from None

    @classmethod
    def of(cls, cfg: DictConfig) -> Self:
        """Convert a configuration, references resolved, without its loggers, which a diagnosis does not need."""
        tree = OmegaConf.to_container(cfg, resolve=False)
        assert isinstance(tree, dict)
        kept = {str(key): value for key, value in tree.items() if key not in ("logger", "hydra")}
        if "${" in str(kept):  # resolving takes ten times as long
            resolved = OmegaConf.to_container(OmegaConf.masked_copy(cfg, list(kept)), resolve=True)
            assert isinstance(resolved, dict)
            return cls.nested(resolved)
        return cls.nested(kept)

    @classmethod
    def nested(cls, tree: Mapping[Any, Any]) -> Self:
        """Convert nested mappings."""
        return cls({str(key): cls.nested(each) if isinstance(each, Mapping) else each for key, each in tree.items()})

    def to_dict(self) -> dict[str, Any]:
        """Convert to nested dictionaries."""
        return {key: each.to_dict() if isinstance(each, Settings) else each for key, each in self.items()}

    def with_changes(self, changes: Mapping[str, object]) -> Self:
        """Return a copy in which some settings, by dotted name, have other values."""
        copy = deepcopy(self)
        for key, value in changes.items():
            group, _, name = key.rpartition(".")
            (copy[group] if group else copy)[name] = value
        return copy

    def select(self, key: str) -> object:
        """Return a setting by its dotted name; None if there is none."""
        group, _, name = key.rpartition(".")
        return (self.get(group, {}) if group else self).get(name)
