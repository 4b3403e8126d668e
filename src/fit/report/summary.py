"""The metrics and figures of a finished run."""

from collections.abc import Callable, Mapping

from torch import Tensor

from fit.data.problem import Problem
from fit.evaluation.baselines import baselines
from fit.evaluation.floor import floor
from fit.evaluation.outcome import Outcome
from fit.folder import RunFolder, write_atomically
from fit.report.drawing import Drawing
from fit.report.figures import draw_fit
from fit.report.loss import draw_loss
from fit.report.style import to_png
from fit.training.run import Run


def make_drawing(problem: Problem, predict: Callable[[Tensor], Tensor]) -> Drawing:
    """Collect the data that the figure of the fit shows."""
    drawn = problem.dataset.drawn()
    return Drawing(problem.dataset, problem.train, drawn, predict(drawn.inputs), fitted=predict(problem.train.inputs))


def summarize(run: Run, outcome: Outcome, seconds: float) -> dict[str, object]:
    """Return the contents of metrics.json; `seconds` is the total time of the run."""
    lowest = floor(run.model, run.cfg.loss, run.problem.scaled)
    floors = {} if lowest is None else {"floor/loss": lowest}
    return outcome.numbers | baselines(run.problem) | floors | {"seconds/total": seconds}


def write_figures(
    folder: RunFolder, problem: Problem, predict: Callable[[Tensor], Tensor], metrics: Mapping[str, object]
) -> bytes:
    """Write the figures and return that of the fit as a PNG file."""
    picture = to_png(draw_fit(make_drawing(problem, predict)))
    write_atomically(folder.fit_figure, picture)
    write_loss_figure(folder, metrics)
    return picture


def write_loss_figure(folder: RunFolder, metrics: Mapping[str, object]) -> None:
    """Write the figure of the loss of a run, or of several networks."""
    floor, diverged = metrics.get("floor/loss"), metrics.get("diverged_epoch")
    figure = draw_loss(
        folder.mean_history(),
        folder.mean_passes(),
        floor if isinstance(floor, float) else None,
        diverged if isinstance(diverged, int) else None,
        [replica.read_history() for replica in folder.replicas],
    )
    write_atomically(folder.loss_figure, to_png(figure))
