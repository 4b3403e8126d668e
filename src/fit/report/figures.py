"""The figure of a fit: curves over one input, maps over two, predictions against targets for more."""

from math import isfinite

import torch
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from fit.evaluation.errors import errors
from fit.report.drawing import Drawing, describe_left_out, thin
from fit.report.maps import draw_maps, is_grid
from fit.report.style import (
    FIT,
    GREY,
    TRAIN,
    VAL,
    Style,
    add_legend,
    add_note,
    add_panel,
    add_text,
    describe_not_finite,
    lay_out,
    marker_style,
)
from fit.report.text import format_r2

# The most panels, one for each target, and how many are side by side.
MOST_PANELS = 12
MOST_PANELS_ACROSS = 3
LEGEND_LINE = 0.28  # inches


def draw_fit(drawing: Drawing) -> Figure:
    """Draw curves for one varying input, maps for two, and predictions against targets for more."""
    inputs = drawing.train.inputs
    varying = [column for column in range(inputs.shape[1]) if inputs[:, column].min() < inputs[:, column].max()]
    if len(varying) == 1:
        return draw_curves(drawing, varying[0])
    if len(varying) == 2 and drawing.dataset.knows_truth and is_grid(drawing.drawn.inputs[:, varying]):
        return draw_maps(drawing, varying)
    return draw_parity(drawing)


def draw_curves(drawing: Drawing, column: int) -> Figure:
    """Draw each target over the input (training rows, truth or held-out rows, and fit) and below it the residuals."""
    names = drawing.dataset.target_names
    targets, more = names[:MOST_PANELS], describe_left_out(names, MOST_PANELS)
    drawing = thin(drawing)
    figure, corners = lay_out(len(targets), MOST_PANELS_ACROSS, (5.4, 4.4), head=LEGEND_LINE, foot=0.25 * bool(more))
    entries: dict[str, Artist] = {}
    for index, (target, (left, bottom)) in enumerate(zip(targets, corners, strict=True)):
        panel = add_panel(figure, left + 0.95, bottom + 1.6, 4.3, 2.65)
        below = add_panel(figure, left + 0.95, bottom + 0.55, 4.3, 0.9)
        entries |= draw_curve(panel, drawing, column, index)
        draw_residuals(below, drawing, column, index)
        name = drawing.dataset.input_names[column]
        for each in (panel, below):
            each.set_xscale("log" if name in drawing.dataset.logarithmic else "linear")
        below.set_xlim(panel.get_xlim())
        panel.tick_params(labelbottom=False)
        below.set_xlabel(drawing.dataset.axis(name))
        panel.set_ylabel(drawing.dataset.axis(target))
        figure.align_ylabels([panel, below])
    add_legend(figure, entries)
    if more:
        add_text(figure, 0.1, figure.get_figheight() - 0.25, more)
    return figure


def draw_curve(panel: Axes, drawing: Drawing, column: int, target: int) -> dict[str, Artist]:
    """Draw one target over one input, the fit on top, and return the entries of the legend."""
    inputs, predictions = drawing.drawn.inputs[:, column], drawing.predictions[:, target]
    points, entries = drawing.train.inputs[:, column], dict[str, Artist]()

    def plot(label: str, x: Tensor, y: Tensor, **style: object) -> None:
        """Draw a line and add it to the legend."""
        (entries[label],) = panel.plot(x, y, label=label, **style)  # type: ignore[arg-type]

    plot(
        "training rows", points, drawing.train.targets[:, target], marker="o", color=TRAIN, **marker_style(len(points))
    )
    if drawing.dataset.knows_truth:
        plot("truth", inputs, drawing.drawn.targets[:, target], color=GREY, linewidth=4, alpha=0.5)
    else:
        held_out = drawing.drawn.targets[:, target].isfinite()
        style = marker_style(int(held_out.sum()))
        plot(
            f"{drawing.judged} rows",
            inputs[held_out],
            drawing.drawn.targets[held_out, target],
            marker="D",
            color=VAL,
            **style,
        )
    lost = describe_not_finite(predictions)
    # A run that diverged has nothing to draw or to list.
    if predictions.isfinite().any():
        plot("fit", inputs, predictions, color=FIT, zorder=3)
    if lost:
        add_note(panel, f"fit: {lost}")
    if drawing.spread is not None:
        reach = 2 * drawing.spread[:, target]
        entries["fit ± 2 SD"] = panel.fill_between(
            inputs, predictions - reach, predictions + reach, color=FIT, alpha=0.2, linewidth=0, label="fit ± 2 SD"
        )
    return entries


def draw_residuals(panel: Axes, drawing: Drawing, column: int, target: int) -> None:
    """Draw the residuals on the training rows, and on the held-out rows or against the truth."""
    panel.axhline(0, color=GREY, linewidth=0.8)
    inputs, points = drawing.drawn.inputs[:, column], drawing.train.inputs[:, column]
    residuals = drawing.predictions[:, target] - drawing.drawn.targets[:, target]
    if drawing.fitted is not None:
        train_residuals = drawing.fitted[:, target] - drawing.train.targets[:, target]
        panel.plot(points, train_residuals, marker="o", color=TRAIN, **shrink_markers(marker_style(len(points))))
    if drawing.dataset.knows_truth:
        panel.plot(inputs, residuals, color=FIT, zorder=3)
    else:
        held_out = residuals.isfinite()
        style = shrink_markers(marker_style(int(held_out.sum())))
        panel.plot(inputs[held_out], residuals[held_out], marker="D", color=VAL, **style)
    panel.set_ylabel("fit − target")
    panel.locator_params(axis="y", nbins=3)
    if not residuals.isfinite().any():
        add_note(panel, "not finite")
        panel.set_yticks([0])


def shrink_markers(style: Style) -> Style:
    """Return smaller markers, for a low panel."""
    return style | {"markersize": 0.7 * style["markersize"]}


def draw_parity(drawing: Drawing) -> Figure:
    """Draw predictions against targets, on training and held-out rows, with the errors on the latter."""
    names = drawing.dataset.target_names
    shown, more = min(len(names), MOST_PANELS), describe_left_out(names, MOST_PANELS)
    measured = errors(drawing.predictions.unsqueeze(0), drawing.drawn.targets.unsqueeze(0))
    drawing = thin(drawing)
    side, across = (3.45, MOST_PANELS_ACROSS) if shown <= MOST_PANELS_ACROSS else (2.6, MOST_PANELS_ACROSS + 1)
    head, foot = LEGEND_LINE * (1 + (shown == 1 and drawing.spread is not None)), 0.25 * bool(more)
    figure, corners = lay_out(shown, across, (side + 1.15, side + 1.15), head=head, foot=foot)
    entries: dict[str, Artist] = {}
    for index, (left, bottom) in enumerate(corners):
        panel = add_panel(figure, left + 0.95, bottom + 0.55, side, side)
        entries |= draw_against(panel, drawing, index)
        rmse, r2 = (float(measured[key][0, 1 + index]) for key in ("rmse", "r2"))
        message = f"\n{drawing.judged}: RMSE {rmse:.4g}, R² {format_r2(r2).replace('-', '−')}"
        panel.set_title(drawing.dataset.axis(names[index]) + message * isfinite(rmse), fontsize=10, y=1.0)
        panel.set(xlabel="target", ylabel="prediction")
    add_legend(figure, entries)
    if more:
        add_text(figure, 0.1, figure.get_figheight() - 0.25, more)
    return figure


def draw_against(panel: Axes, drawing: Drawing, target: int) -> dict[str, Artist]:
    """Draw the predictions of one target against its values, and return the entries of the legend."""
    entries: dict[str, Artist] = {}
    judged, predictions = drawing.drawn.targets[:, target], drawing.predictions[:, target]
    style: Style = {"marker": "D", "color": VAL, "zorder": 3}
    pairs = [(f"{drawing.judged} rows", judged, predictions, style)]
    if drawing.fitted is not None:
        rows = drawing.train.targets[:, target], drawing.fitted[:, target]
        pairs.insert(0, ("training rows", *rows, {"marker": "o", "color": TRAIN, "zorder": 2}))
    values = torch.cat([part for _, truth, predicted, _ in pairs for part in (truth, predicted)])
    values = values[values.isfinite()]
    pad = 0.04 * float(values.max() - values.min()) or 0.5
    ends = float(values.min()) - pad, float(values.max()) + pad
    (entries["identity"],) = panel.plot(ends, ends, color=GREY, linewidth=1, label="identity")
    for label, truth, predicted, style in pairs:
        if predicted.isfinite().any():
            (entries[label],) = panel.plot(truth, predicted, label=label, **(marker_style(len(truth)) | style))
    lost = describe_not_finite(predictions)
    if lost:
        add_note(panel, f"predictions: {lost}")
    if drawing.spread is not None:
        bars = panel.errorbar(
            judged, predictions, 2 * drawing.spread[:, target], fmt="none", ecolor=VAL, alpha=0.3, label="± 2 SD"
        )
        entries["± 2 SD"] = bars.lines[2][0]
    panel.set(xlim=ends, ylim=ends)
    panel.set_yticks([tick for tick in panel.get_xticks() if ends[0] <= tick <= ends[1]])
    panel.set(xlim=ends, ylim=ends)
    return entries
