"""What is written when a run has ended: metrics.json and the figures."""

from collections.abc import Callable, Mapping

from omegaconf import DictConfig
from torch import Tensor

from fit.data.datamodule import Problem
from fit.data.dataset import Rows
from fit.folder import RunFolder, write_atomically
from fit.measure.floor import Shape, floor
from fit.measure.outcome import Outcome
from fit.report.figures import Drawing, draw_fit, draw_loss, to_png
from fit.report.metrics import baselines
from fit.training.run import Run


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


def summarize(run: Run, outcome: Outcome, seconds: float) -> dict[str, object]:
    """Return what metrics.json holds; `seconds` is how long the run took as a whole."""
    lowest = loss_floor(run.cfg, run.problem)
    floors = {} if lowest is None else {"floor/loss": lowest}
    return outcome.numbers | baselines(run.problem) | floors | {"seconds/total": seconds}


def write_figures(
    folder: RunFolder, problem: Problem, predict: Callable[[Tensor], Tensor], metrics: Mapping[str, object]
) -> bytes:
    """Write the figures and return that of the fit."""
    lowest = metrics.get("floor/loss")
    picture = to_png(draw_fit(drawing(problem, predict)))
    write_atomically(folder.fit_figure, picture)
    history = folder.read_history()
    write_atomically(folder.loss_figure, to_png(draw_loss(history, lowest if isinstance(lowest, float) else None)))
    return picture
