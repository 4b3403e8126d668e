"""What is written when a run has ended: metrics.json and the figures."""

import time
from collections.abc import Callable

from omegaconf import DictConfig
from torch import Tensor

from fit.data.datamodule import Problem
from fit.data.dataset import Rows
from fit.folder import RunFolder, write_atomically
from fit.measure.floor import Shape, floor
from fit.measure.outcome import Outcome
from fit.report.figures import Drawing, draw_fit, draw_loss, to_png
from fit.report.metrics import baselines


def loss_floor(cfg: DictConfig, problem: Problem) -> float | None:
    """Return the lowest training loss that the model could reach, where it is known."""
    model = cfg.model
    shape = Shape(model.hidden, model.activation, model.output_activation, model.bias)
    train = problem.train
    scaled = Rows(problem.input_scaler.transform(train.inputs), problem.target_scaler.transform(train.targets))
    return floor(shape, cfg.loss, scaled)


def drawing(problem: Problem, predict: Callable[[Tensor], Tensor]) -> Drawing:
    """Collect what the figure of the fit shows."""
    drawn = problem.dataset.drawn()
    return Drawing(problem.dataset, problem.train, drawn, predict(drawn.inputs))


def write_summary(
    cfg: DictConfig, folder: RunFolder, problem: Problem, outcome: Outcome, started: float
) -> dict[str, object]:
    """Write the figures and metrics.json, and return what metrics.json holds; `started` is by `time.perf_counter`."""
    lowest = loss_floor(cfg, problem)
    floors = {} if lowest is None else {"floor/loss": lowest}
    metrics = outcome.numbers | baselines(problem) | floors | {"seconds/total": time.perf_counter() - started}
    folder.write_metrics(metrics)
    write_atomically(folder.fit_figure, to_png(draw_fit(drawing(problem, outcome.predict))))
    write_atomically(folder.loss_figure, to_png(draw_loss(folder.read_history(), lowest)))
    return metrics
