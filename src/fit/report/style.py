"""The style of all figures: colours, markers, ticks, and panels in inches."""

from collections.abc import Mapping
from io import BytesIO
from math import isfinite
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator
from torch import Tensor

from fit.messages import format_value

Style = dict[str, Any]  # whatever matplotlib takes
# By Okabe and Ito, distinguishable for the colour-blind too; each means the same in all figures.
TRAIN, VAL, FIT, GREY = "#0072B2", "#009E73", "#D55E00", "#555555"
MISSING = "#eeeeee"
SERIES = ((TRAIN, "o"), ("#E69F00", "s"), (VAL, "D"), ("#CC79A7", "^"), ("#56B4E9", "v"), ("#000000", "P"))
TICKS = 5
LETTER_WIDTH = 0.08  # inches that a letter of a tick label takes


class Picture(Figure):
    """A figure that notebooks show without pyplot."""

    def _repr_png_(self) -> bytes:
        """Render the figure for a notebook."""
        return to_png(self)


def lay_out(
    cells: int, across: int, size: tuple[float, float], left: float = 0.0, head: float = 0.0, foot: float = 0.0
) -> tuple[Figure, list[tuple[float, float]]]:
    """Make a figure of cells of a size in inches, `across` side by side; return their lower left corners, row by row.

    Sizes and gaps are fixed, as measuring text takes longer than drawing it.
    """
    (width, height), rows = size, -(-cells // across)
    figure = Picture(figsize=(left + width * min(across, cells), head + height * rows + foot), dpi=100)
    corners = [(left + width * (cell % across), foot + height * (rows - 1 - cell // across)) for cell in range(cells)]
    return figure, corners


def add_panel(figure: Figure, left: float, bottom: float, width: float, height: float) -> Axes:
    """Add axes at a position in inches."""
    across, up = figure.get_size_inches()
    panel = figure.add_axes((left / across, bottom / up, width / across, height / up))
    panel.spines[["top", "right"]].set_visible(False)
    panel.tick_params(labelsize=9)
    panel.locator_params(nbins=TICKS)
    return panel


def add_text(figure: Figure, left: float, top: float, words: str, **style: Any) -> None:  # noqa: ANN401
    """Add text at a position in inches from the left and the top."""
    across, up = figure.get_size_inches()
    defaults: Style = {"va": "top", "color": GREY, "fontsize": 9}
    figure.text(left / across, 1 - top / up, words, **(defaults | style))


def add_legend(figure: Figure, entries: Mapping[str, Artist], top: float = 0.05) -> None:
    """Add a legend above all panels, where it hides nothing."""
    if not entries:
        return
    across, up = figure.get_size_inches()
    widths = [0.55 + LETTER_WIDTH * len(label) for label in entries]
    columns = next(
        count
        for count in range(len(entries), 0, -1)
        if count == 1 or sum(max(column) for column in np.array_split(widths, count)) < across
    )
    legend = figure.legend(
        list(entries.values()),
        list(entries),
        loc="upper left",
        bbox_to_anchor=(0.0, 1 - top / up),
        ncols=columns,
        frameon=False,
        fontsize=9,
    )
    for handle in legend.legend_handles:
        if isinstance(handle, Line2D) and handle.get_marker() not in ("", "None"):
            handle.set(alpha=1.0, markersize=max(handle.get_markersize(), 5.0))


def marker_style(rows: int) -> Style:
    """Return the style of markers: large for few rows, small and transparent for many."""
    size, alpha = (6.0, 0.9) if rows <= 50 else (4.0, 0.6) if rows <= 500 else (2.5, 0.3)
    return {"linestyle": "", "markersize": size, "alpha": alpha, "markeredgewidth": 0}


def describe_not_finite(values: Tensor | np.ndarray) -> str:
    """Return how many values are not finite; empty if all are finite."""
    finite = np.isfinite(np.asarray(values))
    lost = int((~finite).sum())
    return "" if not lost else "not finite" if lost == finite.size else f"{lost} of {finite.size} not finite"


def add_note(panel: Axes, words: str, **style: Any) -> None:  # noqa: ANN401
    """Write into the middle of a panel why it shows nothing."""
    box = {"facecolor": "white", "alpha": 0.8, "edgecolor": "none"}
    panel.text(0.5, 0.5, words, transform=panel.transAxes, ha="center", va="center", color=FIT, bbox=box, **style)


def set_log_ticks(axis: Axis) -> None:
    """Label a logarithmic axis with several round numbers, however many decades it spans."""
    low, high = axis.get_view_interval()
    decades = float(np.log10(high / low))
    if decades < 0.7:
        axis.set_major_locator(MaxNLocator(TICKS))
    else:
        axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0) if decades < 2.5 else (1.0,), numticks=8))
    axis.set_major_formatter(FuncFormatter(lambda value, _: format_value(float(value)) if isfinite(value) else ""))
    if decades < 2.5:
        axis.set_minor_locator(NullLocator())


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
