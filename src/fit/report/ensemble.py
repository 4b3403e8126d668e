"""The figures of an ensemble or a cross-validation."""

from collections.abc import Mapping, Sequence

import torch
from matplotlib.figure import Figure
from omegaconf import DictConfig
from torch import Tensor

from fit.data.dataset import Rows
from fit.data.problem import Problem, build_dataset, pose
from fit.folder import RunFolder, write_atomically
from fit.predict.predictor import load_predictor
from fit.report.drawing import Drawing
from fit.report.figures import draw_fit, draw_parity
from fit.report.style import to_png
from fit.report.summary import write_loss_figure
from fit.settings.replicas import replica_config
from fit.settings.trust import foreign


def write_ensemble_figures(folder: RunFolder, cfg: DictConfig, metrics: Mapping[str, object]) -> None:
    """Write the figures of an ensemble or a cross-validation whose networks have finished."""
    write_atomically(folder.fit_figure, to_png(draw_ensemble(folder, cfg)))
    write_loss_figure(folder, metrics)


def draw_ensemble(folder: RunFolder, cfg: DictConfig, which: str = "last") -> Figure:
    """Draw the mean of an ensemble, or a cross-validation's held-out predictions, by `last` or `best` checkpoints."""
    if cfg.cv is None:
        problem = pose(build_dataset(cfg.data))
        drawn = problem.dataset.drawn()
        predict = load_predictor(folder.path, which, trust=bool(foreign(cfg)))
        fitted, _ = predict(problem.train.inputs)
        return draw_fit(Drawing(problem.dataset, problem.train, drawn, *predict(drawn.inputs), fitted))
    # From the settings of the whole, which were checked for untrusted code: those of its parts were not.
    problems = [pose(build_dataset(replica_config(cfg, number).data)) for number, _ in enumerate(folder.replicas)]
    return draw_parity(
        Drawing(problems[0].dataset, problems[0].train, *held_out(folder, problems, which, bool(foreign(cfg))))
    )


def held_out(folder: RunFolder, problems: Sequence[Problem], which: str, trust: bool) -> tuple[Rows, Tensor]:
    """Return all held-out rows, and for each the prediction of the network that was not trained on it."""
    rows = [problem.fresh["val"] for problem in problems]
    predictions = [
        load_predictor(replica.path, which, trust)(each.inputs)[0]
        for replica, each in zip(folder.replicas, rows, strict=True)
    ]
    return Rows(*(torch.cat(columns) for columns in zip(*rows, strict=True))), torch.cat(predictions)
