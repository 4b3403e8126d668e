"""A run's settings as plain values: they are read and changed hundreds of times for one diagnosis."""

from collections.abc import Mapping
from copy import deepcopy
from typing import Any, Self

from omegaconf import DictConfig, OmegaConf


class Settings(dict[str, Any]):
    """Settings by name, as attributes too; what is below a group is Settings again."""

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401
        """Return a setting; raise AttributeError if there is none."""
        try:
            return self[name]
        except KeyError:
            raise AttributeError(name) from None

    @classmethod
    def of(cls, cfg: DictConfig) -> Self:
        """Take a configuration but for its loggers, which a diagnosis has no use for, with references resolved."""
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
        """Take nested mappings."""
        return cls({str(key): cls.nested(each) if isinstance(each, Mapping) else each for key, each in tree.items()})

    def plain(self) -> dict[str, Any]:
        """Return nested dictionaries."""
        return {key: each.plain() if isinstance(each, Settings) else each for key, each in self.items()}

    def changed(self, changes: Mapping[str, object]) -> Self:
        """Return settings of which some, by dotted name, are others."""
        copy = deepcopy(self)
        for key, value in changes.items():
            group, _, name = key.rpartition(".")
            (copy[group] if group else copy)[name] = value
        return copy

    def select(self, key: str) -> object:
        """Return a setting by its dotted name; None if there is none."""
        group, _, name = key.rpartition(".")
        return (self.get(group, {}) if group else self).get(name)
