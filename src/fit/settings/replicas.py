"""What the members of a committee are asked for."""

from omegaconf import DictConfig, open_dict


def replica_config(cfg: DictConfig, number: int) -> DictConfig:
    """Return the settings of one member: those of the whole, with a fold or a seed of its own."""
    cfg = cfg.copy()
    with open_dict(cfg):
        if cfg.cv is not None:
            cfg.data.folds, cfg.data.fold = cfg.cv, number
        else:
            cfg.seed = cfg.seed + number
        cfg.cv = cfg.ensemble = None
    return cfg
