"""Drawing a run again from its folder."""

from matplotlib.figure import Figure
from omegaconf import DictConfig

from fit.committee import draw
from fit.data.datamodule import build_dataset, pose
from fit.errors import FitError
from fit.folder import RunFolder, write_atomically
from fit.predict.predictor import load_checkpoint
from fit.report.figures import draw_fit, to_png
from fit.report.summary import drawing, write_figures
from fit.training.checkpoint import load, predictor


def draw_run(folder: RunFolder, cfg: DictConfig, metrics: dict[str, object]) -> None:
    """Draw the figures of a run that has ended into its folder; raise FitError if it has no checkpoint."""
    if folder.members:
        write_atomically(folder.fit_figure, to_png(draw(folder, cfg)))
        return
    check_checkpoint(folder)
    write_figures(folder, pose(build_dataset(cfg.data)), predictor(load(folder.last)), metrics)


def figure_of(folder: RunFolder, cfg: DictConfig, which: str = "last") -> Figure:
    """Draw the fit of a run's `last` or `best` weights; raise FitError if it has no such checkpoint."""
    if folder.members:
        return draw(folder, cfg, which)
    weights = predictor(load_checkpoint(folder.path, which))
    return draw_fit(drawing(pose(build_dataset(cfg.data)), weights))


def check_checkpoint(folder: RunFolder) -> None:
    """Raise FitError if a run has no checkpoint."""
    if not folder.last.exists():
        raise FitError(f"{folder.path} cannot be drawn: there is no {folder.last}.")
