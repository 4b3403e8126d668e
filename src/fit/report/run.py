"""Drawing a run again from its folder."""

from omegaconf import DictConfig

from fit.data.datamodule import Problem, build_dataset, pose
from fit.errors import FitError
from fit.folder import RunFolder
from fit.report.summary import write_figures
from fit.training.checkpoint import load, predictor


def draw_run(folder: RunFolder, cfg: DictConfig, metrics: dict[str, object]) -> Problem:
    """Draw the figures of a run that has ended, and return its problem; raise FitError if it has no checkpoint."""
    if not folder.last.exists():
        raise FitError(f"{folder.path} cannot be drawn: there is no {folder.last}.")
    problem = pose(build_dataset(cfg.data))
    write_figures(folder, problem, predictor(load(folder.last)), metrics)
    return problem
