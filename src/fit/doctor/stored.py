"""The case of a run, from its folder."""

from omegaconf import DictConfig

from fit.data.datamodule import build_dataset, pose
from fit.doctor.case import Case
from fit.errors import FitError
from fit.folder import RunFolder
from fit.training.checkpoint import load


def stored_case(folder: RunFolder, cfg: DictConfig) -> Case:
    """Read everything that a run left; raise FitError if it has not ended or cannot be read."""
    metrics = folder.read_metrics()
    if not metrics or not folder.last.exists():
        raise FitError(f"{folder.path} has not ended: go on with it by python -m fit.train resume={folder.path}.")
    checkpoint = load(folder.last)
    return Case(
        cfg,
        pose(build_dataset(cfg.data)),
        checkpoint["theta"].double(),
        checkpoint["optimizer"],
        folder.read_history(),
        metrics,
        folder.read_overrides(),
    )
