"""The figure of the loss over epochs."""

from collections.abc import Sequence
from math import nan

import numpy as np
from matplotlib.artist import Artist
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from fit.report.style import FIT, TICKS, TRAIN, VAL, add_legend, add_note, add_panel, lay_out, set_log_ticks

History = Sequence[dict[str, float]]
# Up to this many evaluations are drawn with markers, without which a single one would be invisible.
FEW_POINTS = 25


def draw_loss(
    history: History,
    passes: History = (),
    floor: float | None = None,
    diverged: int | None = None,
    members: Sequence[History] = (),
) -> Figure:
    """Draw the losses over epochs on a log axis; of several networks the mean, `history`, and each as a thin line.

    `passes` holds the losses of the passes before the first evaluation, `floor` is the lowest possible training loss,
    if it is known, and `diverged` the epoch from which on the loss was not finite.
    """
    figure, ((left, bottom),) = lay_out(1, 1, (6.0, 4.4), head=0.65 + 0.25 * bool(members))
    panel = add_panel(figure, left + 0.85, bottom + 0.55, 5.0, 3.75)
    panel.set_yscale("log", nonpositive="mask")
    entries: dict[str, Artist] = {}
    several = f", mean of {len(members)}" if members else ""
    for column, color, style in (("train/loss", TRAIN, "--"), ("val/loss", VAL, "-")):
        for member in members:
            (line,) = panel.plot(*read_curve(member, column), style, color=color, linewidth=0.6, alpha=0.4)
            entries["each of them"] = line
        marker = "o" if len(history) <= FEW_POINTS else ""
        (line,) = panel.plot(*read_curve(history, column), style, color=color, marker=marker, markersize=3)
        entries[column + several] = line
    by_pass = sorted([*passes, *history], key=lambda row: row["epoch"])
    (line,) = panel.plot(*read_curve(by_pass, "train/pass_loss"), color=TRAIN, linewidth=1, alpha=0.45, zorder=1)
    if np.isfinite(read_curve(by_pass, "train/pass_loss")[1]).any():
        entries["train/pass_loss"] = line
    finite = any(np.isfinite(line.get_ydata()).any() for line in panel.lines)
    if floor is not None and floor > 0:
        line = panel.axhline(floor, color=TRAIN, linewidth=1, linestyle=":")
        entries[f"lowest possible train/loss, {floor:.4g}"] = line
    if diverged is not None:
        entries[f"not finite from epoch {diverged} on"] = panel.axvline(
            diverged, color=FIT, linewidth=1, linestyle="-."
        )
    for label, artist in entries.items():
        artist.set_label(label)
    last = max([1.0, *(row["epoch"] for row in history)])
    panel.set(xlabel="epoch", ylabel="loss (scaled units)", xlim=(-0.02 * last, 1.02 * last))
    panel.xaxis.set_major_locator(MaxNLocator(TICKS, integer=True))
    if finite:
        set_log_ticks(panel.yaxis)
    else:
        add_note(panel, "loss not finite")
        panel.set_yticks([], minor=False)
        panel.set_yticks([], minor=True)
    add_legend(figure, entries)
    return figure


def read_curve(history: History, column: str) -> tuple[list[float], np.ndarray]:
    """Return the epochs and the values of a column, NaN where a log axis cannot show them."""
    values = np.array([row.get(column, nan) for row in history])
    return [row["epoch"] for row in history], np.where(np.isfinite(values) & (values > 0), values, nan)
