"""Drawing the figures of a stored run."""

from matplotlib.figure import Figure
from omegaconf import DictConfig

from fit.data.problem import build_dataset, pose
from fit.folder import RunFolder
from fit.predict.predictor import load_checkpoint
from fit.report.ensemble import draw_ensemble, write_ensemble_figures
from fit.report.figures import draw_fit
from fit.report.summary import make_drawing, write_figures
from fit.settings.trust import foreign
from fit.training.checkpoint import predictor


def write_run_figures(folder: RunFolder, cfg: DictConfig, metrics: dict[str, object]) -> None:
    """Write the figures of a finished run into its folder; raise FitError if it has no checkpoint."""
    if folder.replicas:
        write_ensemble_figures(folder, cfg, metrics)
        return
    predict = predictor(load_checkpoint(folder.path), trust=bool(foreign(cfg)))
    write_figures(folder, pose(build_dataset(cfg.data)), predict, metrics)


def draw_run_fit(folder: RunFolder, cfg: DictConfig, which: str) -> Figure:
    """Draw the fit of a run by its `last` or `best` checkpoint; raise FitError if there is none."""
    if folder.replicas:
        return draw_ensemble(folder, cfg, which)
    predict = predictor(load_checkpoint(folder.path, which), trust=bool(foreign(cfg)))
    return draw_fit(make_drawing(pose(build_dataset(cfg.data)), predict))
