"""The figure of a fit over the plane of two inputs: truth, fit and error as maps."""

from collections.abc import Iterator, Sequence

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from torch import Tensor

from fit.report.drawing import Drawing, describe_left_out
from fit.report.style import (
    MISSING,
    Style,
    add_legend,
    add_note,
    add_panel,
    add_text,
    describe_not_finite,
    lay_out,
    marker_style,
)

# The most rows of maps, one for each target.
MOST_MAP_ROWS = 6
SIDE, GAP, BAR, PITCH = 2.9, 0.08, 0.13, (3.85, 3.35)
POINT_STYLE: Style = {"marker": "o", "markerfacecolor": "white", "markeredgecolor": "black", "alpha": 1.0}


def is_grid(points: Tensor) -> bool:
    """Whether points `[rows, 2]` form a square grid, ordered as by `fit.data.dataset.square_grid`."""
    side = round(len(points) ** 0.5)
    if side * side != len(points):
        return False
    x, y = points.reshape(side, side, 2).unbind(2)
    return bool((x == x[:, :1]).all() and (y == y[:1]).all())


def draw_maps(drawing: Drawing, varying: Sequence[int]) -> Figure:
    """Draw truth, prediction and error over the plane of two inputs, with the training points."""
    columns = 3 if drawing.spread is None else 4
    names = drawing.dataset.target_names
    targets, more = names[:MOST_MAP_ROWS], describe_left_out(names, MOST_MAP_ROWS)
    foot = 0.65 + 0.25 * bool(more)
    figure, corners = lay_out(len(targets) * columns, columns, PITCH, left=0.75, head=0.3, foot=foot)
    side = round(len(drawing.drawn.inputs) ** 0.5)
    panels = []
    for cell, (left, bottom) in enumerate(corners):
        panel = add_panel(figure, left, bottom, SIDE, SIDE)
        set_axes(panel, drawing, varying)
        panel.tick_params(labelleft=cell % columns == 0, labelbottom=cell >= len(corners) - columns)
        panels.append(panel)
    for index in range(len(targets)):
        row = slice(index * columns, (index + 1) * columns)
        for panel, (left, bottom), (title, values, colors) in zip(
            panels[row], corners[row], list_maps(drawing, index, side), strict=True
        ):
            panel.set_title(title, y=1.0, fontsize=11)  # its usual place: finding it takes long
            draw_map(panel, values, colors)
            if lost := describe_not_finite(values):
                add_note(panel, lost)
            if np.isfinite(values).any():
                place = add_panel(figure, left + SIDE + GAP, bottom, BAR, SIDE)
                figure.colorbar(
                    panel.images[0], cax=place, extend=colorbar_extension(values, colors)
                ).locator = MaxNLocator(6)
        first = panels[row][0]
        points = (drawing.train.inputs[:, column] for column in varying)
        style = marker_style(len(drawing.train.inputs)) | POINT_STYLE | {"markeredgewidth": 0.4}
        (shown,) = first.plot(*points, **style, scalex=False, scaley=False, label="training rows")
        first.set_ylabel(drawing.dataset.axis(drawing.dataset.input_names[varying[1]]))
    for panel in panels[-columns:]:
        panel.set_xlabel(drawing.dataset.axis(drawing.dataset.input_names[varying[0]]))
    add_legend(figure, {"training rows": shown})
    if more:
        add_text(figure, 0.1, figure.get_figheight() - 0.25, more)
    return figure


def set_axes(panel: Axes, drawing: Drawing, varying: Sequence[int]) -> None:
    """Extend the axes by half a step beyond the outermost points of the grid, as the pixels of a map do."""
    side = round(len(drawing.drawn.inputs) ** 0.5)
    for letter, column, step in (("x", varying[0], side), ("y", varying[1], 1)):
        line = drawing.drawn.inputs[::step, column][:side].numpy()
        logarithmic = drawing.dataset.input_names[column] in drawing.dataset.logarithmic
        places = np.log(line) if logarithmic else line
        half = (places[1] - places[0]) / 2
        ends = np.array([places[0] - half, places[-1] + half])
        getattr(panel, f"set_{letter}scale")("log" if logarithmic else "linear")
        getattr(panel, f"set_{letter}lim")(*(np.exp(ends) if logarithmic else ends))


def draw_map(panel: Axes, values: np.ndarray, colors: Style) -> None:
    """Draw a map `[side, side]` over the whole panel, interpolated; the grid is even on the panel's scales."""
    image = panel.imshow(
        np.ma.masked_invalid(values),
        origin="lower",
        interpolation="bilinear",
        aspect="auto",
        extent=(0, 1, 0, 1),
        transform=panel.transAxes,
        **colors,
    )
    image.set_clip_path(panel.patch)


def colorbar_extension(values: np.ndarray, colors: Style) -> str:
    """Return at which ends values exceed the range of colours, as matplotlib's `extend` names it."""
    low, high = colors.get("vmin", -np.inf), colors.get("vmax", np.inf)
    below, above = bool(np.nanmin(values) < low), bool(np.nanmax(values) > high)
    return {(True, True): "both", (True, False): "min", (False, True): "max"}.get((below, above), "neither")


def list_maps(drawing: Drawing, target: int, side: int) -> Iterator[tuple[str, np.ndarray, Style]]:
    """Yield the maps of a target: title, values `[side, side]`, and how they are coloured."""
    truth, prediction = (
        values[:, target].reshape(side, side).T.numpy() for values in (drawing.drawn.targets, drawing.predictions)
    )
    error = prediction - truth
    reach = float(np.abs(error[np.isfinite(error)]).max(initial=0.0)) or 1.0
    # A pole is NaN, and drawn grey.
    viridis, balance, magma = (colormaps[name].with_extremes(bad=MISSING) for name in ("viridis", "RdBu_r", "magma"))
    same: Style = {"vmin": np.nanmin(truth), "vmax": np.nanmax(truth), "cmap": viridis}
    yield f"truth, {drawing.dataset.target_names[target]}", truth, same
    yield "fit", prediction, same
    yield "fit − truth", error, {"vmin": -reach, "vmax": reach, "cmap": balance}
    if drawing.spread is not None:
        yield "standard deviation", drawing.spread[:, target].reshape(side, side).T.numpy(), {"cmap": magma}
