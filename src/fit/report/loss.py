"""The figure of the loss on its way."""

from collections.abc import Sequence
from math import nan

import numpy as np
from matplotlib.artist import Artist
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from fit.report.style import FIT, TICKS, TRAIN, VAL, add_legend, add_panel, lay_out, say, set_log_ticks

History = Sequence[dict[str, float]]
# Fewer looks are told apart by markers, and a single one would not be seen without.
FEW_EVALUATIONS = 25


def draw_loss(
    history: History,
    passes: History = (),
    floor: float | None = None,
    diverged: int | None = None,
    members: Sequence[History] = (),
) -> Figure:
    """Draw the losses over epochs on a log axis; of several networks their mean, `history`, and each, thin.

    `passes` is the loss of the passes before the first look, `floor` the lowest that training could reach where that
    is known, `diverged` the epoch from which on the loss was not finite.
    """
    figure, ((left, bottom),) = lay_out(1, 1, (6.0, 4.4), head=0.65 + 0.25 * bool(members))
    panel = add_panel(figure, left + 0.85, bottom + 0.55, 5.0, 3.75)
    panel.set_yscale("log", nonpositive="mask")
    entries: dict[str, Artist] = {}
    several = f", mean of {len(members)}" if members else ""
    for column, color, style in (("train/loss", TRAIN, "--"), ("val/loss", VAL, "-")):
        for member in members:
            (line,) = panel.plot(*curve(member, column), style, color=color, linewidth=0.6, alpha=0.4)
            entries["each of them"] = line
        marker = "o" if len(history) <= FEW_EVALUATIONS else ""
        (line,) = panel.plot(*curve(history, column), style, color=color, marker=marker, markersize=3)
        entries[column + several] = line
    by_pass = sorted([*passes, *history], key=lambda row: row["epoch"])
    (line,) = panel.plot(*curve(by_pass, "train/pass_loss"), color=TRAIN, linewidth=1, alpha=0.45, zorder=1)
    if np.isfinite(curve(by_pass, "train/pass_loss")[1]).any():
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
        say(panel, "loss not finite")
        panel.set_yticks([], minor=False)
        panel.set_yticks([], minor=True)
    add_legend(figure, entries)
    return figure


def curve(history: History, column: str) -> tuple[list[float], np.ndarray]:
    """Return the epochs and what was seen in a column; NaN where it was not finite."""
    seen = np.array([row.get(column, nan) for row in history])
    return [row["epoch"] for row in history], np.where(np.isfinite(seen) & (seen > 0), seen, nan)
