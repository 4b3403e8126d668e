"""Drawing a run again from its folder."""

from omegaconf import DictConfig

from fit.committee import draw
from fit.data.datamodule import build_dataset, pose
from fit.errors import FitError
from fit.folder import RunFolder
from fit.report.summary import write_figures
from fit.training.checkpoint import load, predictor


def draw_run(folder: RunFolder, cfg: DictConfig, metrics: dict[str, object]) -> None:
    """Draw the figures of a run that has ended; raise FitError if it has no checkpoint."""
    if folder.members:
        draw(folder, cfg)
        return
    if not folder.last.exists():
        raise FitError(f"{folder.path} cannot be drawn: there is no {folder.last}.")
    write_figures(folder, pose(build_dataset(cfg.data)), predictor(load(folder.last)), metrics)
