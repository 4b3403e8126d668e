"""What makes two configurations the same run, the same network, or members of one stack."""

import json
from collections.abc import Collection

from omegaconf import DictConfig, OmegaConf

from fit.settings.tree import Settings, flat

# Says where a run writes or what is compared, not what is trained.
NOT_TRAINED = ("optimized_metric", "logger", "resume", "sweep", "doctor", "compile", "figures")
# What members of one stack may differ in; everything else makes another stack.
STACKABLE = (
    "seed",
    "optimizer.lr",
    "optimizer.weight_decay",
    "regularization.l1",
    "regularization.l2",
    "model.gain",
    "model.init",
    "trainer.max_epochs",
    "trainer.gradient_clip_val",
    "data.scale_inputs",
    "data.scale_targets",
    "data.noise",
    "data.seed",
    "data.fold",
    "data.low",
    "data.high",
    "data.shift",
    "data.labels",
)


def plain(cfg: DictConfig) -> Settings:
    """Return every setting but those of ASIDE by its dotted name, as plain values, references resolved."""
    tree = {
        str(key): OmegaConf.to_container(cfg[key], resolve=True) if OmegaConf.is_config(cfg[key]) else cfg[key]
        for key in cfg
        if key not in NOT_TRAINED
    }
    return flat(tree)


def identity(settings: Settings, without: Collection[str] = ()) -> str:
    """Return text that is equal for settings that are, those of `without` left out."""
    return json.dumps({key: value for key, value in settings.items() if key not in without}, sort_keys=True)


def shared(cfg: DictConfig) -> str:
    """Return text that is equal for configurations whose networks one stack can train."""
    # Other seeds hold out other groups of a table, which have other numbers of rows.
    own = [key for key in STACKABLE if key != "data.seed" or cfg.data.get("group") is None]
    return identity(plain(cfg), own)


def hydra_overrides(config: DictConfig) -> list[str]:
    """Return what was typed for Hydra itself, what -m stands for left out."""
    return [line for line in typed(config, "hydra") if not line.startswith("hydra.mode=")]


def typed(config: DictConfig, kind: str = "task") -> list[str]:
    """Return the overrides of a configuration as typed, those of the `task` or of `hydra`, references unresolved."""
    lines = OmegaConf.to_container(config.hydra.overrides[kind], resolve=False)
    return [str(line) for line in lines] if isinstance(lines, list) else []
