"""Figures of a run: the fit, and the loss on its way."""

from collections.abc import Sequence
from io import BytesIO
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from torch import Tensor

from fit.data.dataset import DataSet, Rows

DATA, TRUTH, FIT = "#555555", "#1f77b4", "#d62728"
MOST_PANELS = 6
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
    targets = drawing.dataset.target_names[:MOST_PANELS]
    figure, panels = sheet(len(targets))
    size = 4.0 if len(drawing.train.inputs) <= 40 else 1.8
    known = drawing.dataset.knows_truth
    truth = {"linewidth": 4, "alpha": 0.4, "label": "truth"} if known else HELD_OUT
    drawing = thinned(drawing)
    inputs, points = drawing.drawn.inputs[:, column], drawing.train.inputs[:, column]
    for index, (panel, target) in enumerate(zip(panels, targets, strict=True)):
        panel.plot(inputs, drawing.drawn.targets[:, index], color=TRUTH, **truth)
        panel.plot(points, drawing.train.targets[:, index], "o", color=DATA, markersize=size, label="training points")
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
    figure, panels = sheet(3 if drawing.spread is None else 4)
    names = [drawing.dataset.axis(drawing.dataset.input_names[column]) for column in varying]
    x, y = (drawing.drawn.inputs[:, column].numpy() for column in varying)
    side = int(len(x) ** 0.5)
    truth, prediction = (
        values[:, 0].reshape(side, side).T.numpy() for values in (drawing.drawn.targets, drawing.predictions)
    )
    error = prediction - truth
    reach = float(np.nanmax(np.abs(error))) if np.isfinite(prediction).all() else 1.0
    same = {"vmin": np.nanmin(truth), "vmax": np.nanmax(truth), "cmap": "viridis"}  # a pole is NaN, and left white
    maps = [
        (f"truth, {drawing.dataset.target_names[0]}", truth, same),
        ("fit", prediction, same),
        ("fit - truth", error, {"vmin": -reach, "vmax": reach, "cmap": "RdBu_r"}),
    ]
    if drawing.spread is not None:
        maps.append(("standard deviation", drawing.spread[:, 0].reshape(side, side).T.numpy(), {"cmap": "magma"}))
    for panel, (title, values, colors) in zip(panels, maps, strict=True):
        image = panel.pcolormesh(x[::side], y[:side], values, shading="nearest", **colors)
        panel.set_box_aspect(1)
        figure.colorbar(image, cax=panel.inset_axes((1.04, 0.0, 0.05, 1.0))).locator = MaxNLocator(6)
        panel.set_title(title, y=1.0)  # where it is anyway: looking for a place takes an eighth of the time
        panel.set_xlabel(names[0])
        for column, set_scale in zip(varying, (panel.set_xscale, panel.set_yscale), strict=True):
            if drawing.dataset.input_names[column] in drawing.dataset.logarithmic:
                set_scale("log")
    panels[0].plot(
        *(drawing.train.inputs[:, column] for column in varying),
        ".",
        color="white",
        markersize=1.5,
        scalex=False,
        scaley=False,
    )
    panels[0].set_ylabel(names[1])
    return figure


def draw_scatter(drawing: Drawing) -> Figure:
    """Draw predictions against targets, on rows not trained on."""
    figure, (panel,) = sheet(1)
    drawing = thinned(drawing)
    truth, predictions = drawing.drawn.targets, drawing.predictions
    panel.plot([truth.min(), truth.max()], [truth.min(), truth.max()], color=DATA, linewidth=1, label="perfect")
    panel.plot(
        truth.flatten(), predictions.flatten(), ".", color=FIT, markersize=2, alpha=0.3, label="rows not trained on"
    )
    if drawing.spread is not None:
        bars = 2 * drawing.spread.flatten()
        panel.errorbar(
            truth.flatten(),
            predictions.flatten(),
            bars,
            fmt="none",
            ecolor=FIT,
            alpha=0.15,
            label="± 2 standard deviations",
        )
    panel.set_xlabel("target")
    panel.set_ylabel("prediction")
    panel.legend(frameon=False)
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
    panel.set_ylabel("loss")
    panel.legend(frameon=False)
    return figure


def sheet(count: int) -> tuple[Figure, list[Axes]]:
    """Make a figure with some panels in a row; fixed margins, since measuring text takes longer than drawing it."""
    width = 4.4 * count + (1.2 if count == 1 else 0.0)
    figure = Picture(figsize=(width, 3.7), dpi=100)
    panels = list(figure.subplots(1, count, squeeze=False)[0])
    figure.subplots_adjust(
        left=(1.0 if count == 1 else 0.75) / width, right=1 - 0.6 / width, bottom=0.16, top=0.9, wspace=0.38
    )
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
