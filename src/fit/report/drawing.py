"""The data that a figure of a fit shows."""

from typing import NamedTuple

from torch import Tensor

from fit.data.dataset import DataSet, Rows
from fit.messages import plural

# The most rows to draw of each kind.
MOST_DRAWN_ROWS = 5000


class Drawing(NamedTuple):
    """Training rows and rows to draw, with the network's predictions for both.

    `predictions` and `spread`, an ensemble's standard deviation, are for the rows to draw, `[rows, targets]`. `fitted`,
    the predictions for the training rows, is None for a cross-validation, where every row is held out once.
    """

    dataset: DataSet
    train: Rows
    drawn: Rows
    predictions: Tensor
    spread: Tensor | None = None
    fitted: Tensor | None = None

    @property
    def judged(self) -> str:
        """The name of the rows that were not trained on."""
        return "held-out" if self.fitted is None else "val"


def thin(drawing: Drawing) -> Drawing:
    """Leave out rows, evenly, if there are too many to draw."""
    train, drawn = (
        slice(None, None, -(-len(rows.inputs) // MOST_DRAWN_ROWS)) for rows in (drawing.train, drawing.drawn)
    )
    spread = None if drawing.spread is None else drawing.spread[drawn]
    fitted = None if drawing.fitted is None else drawing.fitted[train]
    rows = Rows(*(each[train] for each in drawing.train)), Rows(*(each[drawn] for each in drawing.drawn))
    return Drawing(drawing.dataset, *rows, drawing.predictions[drawn], spread, fitted)


def describe_left_out(names: tuple[str, ...], most: int) -> str:
    """Return how many targets are not drawn; empty if none."""
    more = len(names) - most
    return f"{plural(more, 'more target')} not drawn; all of them are in metrics.json" if more > 0 else ""
