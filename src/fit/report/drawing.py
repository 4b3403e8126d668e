"""What a figure of a fit shows."""

from typing import NamedTuple

from torch import Tensor

from fit.data.dataset import DataSet, Rows
from fit.messages import plural

# More points take longer to draw than they show.
MOST_POINTS = 5000


class Drawing(NamedTuple):
    """The rows trained on, and rows to draw, each with the network's answer to them.

    `spread` is the standard deviation of an ensemble's answers to the rows to draw. `fitted`, the answer to the rows
    trained on, is None where there is no such answer: those of a cross-validation are all held out once.
    """

    dataset: DataSet
    train: Rows
    drawn: Rows
    predictions: Tensor
    spread: Tensor | None = None
    fitted: Tensor | None = None

    @property
    def judged(self) -> str:
        """What the rows are called that were not trained on."""
        return "held-out" if self.fitted is None else "val"


def thinned(drawing: Drawing) -> Drawing:
    """Leave out rows, evenly, where there are too many to draw."""
    train, drawn = (slice(None, None, -(-len(rows.inputs) // MOST_POINTS)) for rows in (drawing.train, drawing.drawn))
    spread = None if drawing.spread is None else drawing.spread[drawn]
    fitted = None if drawing.fitted is None else drawing.fitted[train]
    few = Rows(*(each[train] for each in drawing.train)), Rows(*(each[drawn] for each in drawing.drawn))
    return Drawing(drawing.dataset, *few, drawing.predictions[drawn], spread, fitted)


def left_out(names: tuple[str, ...], most: int) -> str:
    """Say how many targets are not drawn, if any."""
    more = len(names) - most
    return f"{plural(more, 'more target')} not drawn; all of them are in metrics.json" if more > 0 else ""
