"""Figures of a run: the fit, and the loss on its way."""

from collections.abc import Iterator, Sequence
from io import BytesIO
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from torch import Tensor

from fit.config.rules import plural
from fit.data.dataset import DataSet, Rows

Colors = dict[str, Any]  # whatever matplotlib takes
DATA, TRUTH, FIT = "#555555", "#1f77b4", "#d62728"
MOST_PANELS = 6
# Targets that are worth a row of maps, or a panel of predictions, each.
MOST_TARGETS = 4
# More points take longer to draw than they show.
MOST_POINTS = 5000
# How rows look that were not trained on, where no true function is known.
HELD_OUT: dict[str, str | float] = {"linestyle": "", "marker": "o", "markersize": 3.0, "label": "held-out rows"}


class Picture(Figure):
    """A figure that a notebook shows without pyplot."""

    def _repr_png_(self) -> bytes:
        """Render it for a notebook."""
        return to_png(self)


class Drawing(NamedTuple):
    """What a figure of the fit shows: the rows trained on, and rows to draw with the network's answer to them."""

    dataset: DataSet
    train: Rows
    drawn: Rows
    predictions: Tensor
    spread: Tensor | None = None  # standard deviation of an ensemble's answers


def draw_fit(drawing: Drawing) -> Figure:
    """Draw curves for one varying input, maps for two, and predictions against targets for more."""
    inputs = drawing.train.inputs
    varying = [column for column in range(inputs.shape[1]) if inputs[:, column].min() < inputs[:, column].max()]
    if len(varying) == 1:
        return draw_curves(drawing, varying[0])
    if len(varying) == 2 and drawing.dataset.knows_truth and is_grid(drawing.drawn.inputs[:, varying]):
        return draw_maps(drawing, varying)
    return draw_scatter(drawing)


def is_grid(points: Tensor) -> bool:
    """Whether points `[rows, 2]` are the crossings of a square grid, as `fit.data.dataset.grid` orders them."""
    side = round(len(points) ** 0.5)
    if side * side != len(points):
        return False
    x, y = points.reshape(side, side, 2).unbind(2)
    return bool((x == x[:, :1]).all() and (y == y[:1]).all())


def draw_curves(drawing: Drawing, column: int) -> Figure:
    """Draw target over input: training points, truth and fit."""
    names = drawing.dataset.target_names
    targets = names[:MOST_PANELS]
    figure, panels = sheet(len(targets), more=len(names) - len(targets))
    size = 4.0 if len(drawing.train.inputs) <= 40 else 1.8
    known = drawing.dataset.knows_truth
    truth = {"linewidth": 4, "alpha": 0.4, "label": "truth"} if known else HELD_OUT
    drawing = thinned(drawing)
    inputs, points = drawing.drawn.inputs[:, column], drawing.train.inputs[:, column]
    for index, (panel, target) in enumerate(zip(panels, targets, strict=True)):
        panel.plot(inputs, drawing.drawn.targets[:, index], color=TRUTH, **truth)
        panel.plot(points, drawing.train.targets[:, index], "o", color=DATA, markersize=size, label="training points")
        # Of a run that diverged there is nothing to draw, nor to list.
        if drawing.predictions[:, index].isfinite().any():
            panel.plot(inputs, drawing.predictions[:, index], color=FIT, label="fit")
        if drawing.spread is not None:
            reach = 2 * drawing.spread[:, index]
            ends = drawing.predictions[:, index] - reach, drawing.predictions[:, index] + reach
            panel.fill_between(inputs, *ends, color=FIT, alpha=0.2, linewidth=0, label="± 2 standard deviations")
        name = drawing.dataset.input_names[column]
        panel.set_xlabel(drawing.dataset.axis(name))
        if name in drawing.dataset.logarithmic:
            panel.set_xscale("log")
        panel.set_ylabel(drawing.dataset.axis(target))
    panels[0].legend(frameon=False)
    return figure


def draw_maps(drawing: Drawing, varying: Sequence[int]) -> Figure:
    """Draw truth, prediction and error over the plane of two inputs, with the training points."""
    columns = 3 if drawing.spread is None else 4
    targets = drawing.dataset.target_names[:MOST_TARGETS]
    left_out = len(drawing.dataset.target_names) - len(targets)
    figure, panels = sheet(columns, len(targets), left_out, right=0.95)  # room for what is written at a colour bar
    x, y = (drawing.drawn.inputs[:, column].numpy() for column in varying)
    side = int(len(x) ** 0.5)
    for index in range(len(targets)):
        row = panels[index * columns : (index + 1) * columns]
        for panel, (title, values, colors) in zip(row, maps_of(drawing, index, side), strict=True):
            image = panel.pcolormesh(x[::side], y[:side], values, shading="nearest", **colors)
            panel.set_box_aspect(1)
            figure.colorbar(image, cax=panel.inset_axes((1.04, 0.0, 0.05, 1.0))).locator = MaxNLocator(6)
            panel.set_title(title, y=1.0)  # where it is anyway: looking for a place takes an eighth of the time
            for column, set_scale in zip(varying, (panel.set_xscale, panel.set_yscale), strict=True):
                if drawing.dataset.input_names[column] in drawing.dataset.logarithmic:
                    set_scale("log")
        points = (drawing.train.inputs[:, column] for column in varying)
        row[0].plot(*points, ".", color="white", markersize=1.5, scalex=False, scaley=False)
        row[0].set_ylabel(drawing.dataset.axis(drawing.dataset.input_names[varying[1]]))
    for panel in panels[-columns:]:
        panel.set_xlabel(drawing.dataset.axis(drawing.dataset.input_names[varying[0]]))
    return figure


def maps_of(drawing: Drawing, target: int, side: int) -> Iterator[tuple[str, np.ndarray, Colors]]:
    """Yield the maps of a target: title, values `[side, side]`, and how they are coloured."""
    truth, prediction = (
        values[:, target].reshape(side, side).T.numpy() for values in (drawing.drawn.targets, drawing.predictions)
    )
    error = prediction - truth
    reach = float(np.nanmax(np.abs(error))) if np.isfinite(prediction).all() else 1.0
    # A pole is NaN, and left white.
    same: Colors = {"vmin": np.nanmin(truth), "vmax": np.nanmax(truth), "cmap": "viridis"}
    yield f"truth, {drawing.dataset.target_names[target]}", truth, same
    yield "fit", prediction, same
    yield "fit - truth", error, {"vmin": -reach, "vmax": reach, "cmap": "RdBu_r"}
    if drawing.spread is not None:
        yield "standard deviation", drawing.spread[:, target].reshape(side, side).T.numpy(), {"cmap": "magma"}


def draw_scatter(drawing: Drawing) -> Figure:
    """Draw predictions against targets, on rows not trained on."""
    names = drawing.dataset.target_names
    figure, panels = sheet(min(len(names), MOST_TARGETS), more=max(0, len(names) - MOST_TARGETS))
    drawing = thinned(drawing)
    dots, bars = "rows not trained on", "± 2 standard deviations"
    for index, panel in enumerate(panels):
        truth, predictions = drawing.drawn.targets[:, index], drawing.predictions[:, index]
        panel.plot([truth.min(), truth.max()], [truth.min(), truth.max()], color=DATA, linewidth=1, label="perfect")
        if predictions.isfinite().any():
            panel.plot(truth, predictions, ".", color=FIT, markersize=2, alpha=0.3, label=dots)
        if drawing.spread is not None:
            reach = 2 * drawing.spread[:, index]
            panel.errorbar(truth, predictions, reach, fmt="none", ecolor=FIT, alpha=0.15, label=bars)
        if len(names) > 1:
            panel.set_title(drawing.dataset.axis(names[index]), y=1.0)
        panel.set_xlabel("target")
    panels[0].set_ylabel("prediction")
    panels[0].legend(frameon=False)
    return figure


def thinned(drawing: Drawing) -> Drawing:
    """Leave out rows, evenly, where there are too many to draw."""
    train, drawn = (slice(None, None, -(-len(rows.inputs) // MOST_POINTS)) for rows in (drawing.train, drawing.drawn))
    spread = None if drawing.spread is None else drawing.spread[drawn]
    few = Rows(*(each[train] for each in drawing.train)), Rows(*(each[drawn] for each in drawing.drawn))
    return Drawing(drawing.dataset, *few, drawing.predictions[drawn], spread)


def draw_loss(history: Sequence[dict[str, float]], floor: float | None) -> Figure:
    """Draw the training and validation loss over epochs on a log axis, with the floor where it is known."""
    figure, (panel,) = sheet(1)
    epochs = [row["epoch"] for row in history]
    panel.set_yscale("log", nonpositive="mask")
    for column, color, style in (("val/loss", FIT, "-"), ("train/loss", TRUTH, "--")):
        losses = np.array([row[column] for row in history])
        panel.plot(epochs, np.where(np.isfinite(losses), losses, np.nan), style, color=color, label=column)
    if floor is not None and floor > 0:
        panel.axhline(floor, color=DATA, linewidth=1, linestyle=":", label=f"floor of this model, {floor:.4g}")
    panel.set_xlabel("epoch")
    panel.set_title("loss", loc="left", fontsize="medium")  # beside long numbers there is no room
    panel.legend(frameon=False)
    return figure


def sheet(columns: int, rows: int = 1, more: int = 0, right: float = 0.6) -> tuple[Figure, list[Axes]]:
    """Make a figure of panels, row by row, whose title counts the targets left out, `more`.

    The margins (of them `right`, in inches) are fixed, since measuring text takes longer than drawing it.
    """
    width = 4.4 * columns + (1.2 if columns == 1 else 0.0) + right - 0.6
    height = 3.7 * rows + (0.3 if more else 0.0)
    figure = Picture(figsize=(width, height), dpi=100)
    panels = list(figure.subplots(rows, columns, squeeze=False).flat)
    figure.subplots_adjust(
        left=(1.0 if columns == 1 else 0.75) / width,
        right=1 - right / width,
        bottom=0.592 / height,
        top=(3.7 * rows - 0.37) / height,
        wspace=0.38,
        hspace=0.35,
    )
    if more:
        figure.text(0.5, 1 - 0.1 / height, f"… and {plural(more, 'more target')}", ha="center", va="top", color=DATA)
    for panel in panels:
        panel.spines[["top", "right"]].set_visible(False)
        panel.locator_params(nbins=6)
    return figure, panels


def to_png(figure: Figure) -> bytes:
    """Render a figure as a PNG file."""
    buffer = BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()


def to_pixels(figure: Figure) -> np.ndarray:
    """Render a figure as `[height, width, 3]` bytes."""
    buffer = BytesIO()
    figure.savefig(buffer, format="rgba")
    width, height = (round(inches * figure.dpi) for inches in figure.get_size_inches())
    return np.frombuffer(buffer.getvalue(), np.uint8).reshape(height, width, 4)[..., :3]
