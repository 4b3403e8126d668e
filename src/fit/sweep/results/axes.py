"""What all pictures of a sweep share: the scale of the errors, axes of keys, the header and the legend."""

from collections.abc import Sequence
from itertools import chain
from math import inf, isfinite, isnan, nan
from typing import Literal

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm, Normalize
from matplotlib.figure import Figure

from fit.messages import format_value
from fit.report.style import LETTER_WIDTH, Picture, add_legend, add_panel, add_text, set_log_ticks
from fit.sweep.results.figure_data import SweepData, SweptKey, format_label

MOST_COLUMNS = 12
HEADER_HEIGHT = 0.62  # inches


def choose_scale(sweep: SweepData, shown: Sequence[float], what: str) -> tuple[Normalize, str]:
    """Choose the scale of the errors shown and its label; errors beyond its ends are drawn at the ends."""
    finite = [value for value in shown if isfinite(value)] or [0.0, 1.0]
    low, high, positive = min(finite), max(finite), min((value for value in finite if value > 0), default=inf)
    log = sweep.bad > 0 and low >= 0 and high > 10 * positive
    if sweep.bad < 0:  # from 0 where any is above; from 10 times the best where none is
        low, high = (max(low, 0.0), 1.0) if high > 0 else (max(low, 10 * high - 1), 0.0)
    elif log:
        low = low or positive / 3
    if low == high:
        low, high = low - (abs(low) or 1) / 2, high + (0 if sweep.bad < 0 else (abs(high) or 1) / 2)
    name = format_label(what) + (f" (lower ones at {format_value(low, 2)})" if min(finite) < low else "")
    return (LogNorm if log else Normalize)(low, high, clip=True), name


def clip_to_scale(norm: Normalize, errors: Sequence[float] | np.ndarray) -> np.ndarray:
    """Clip errors to the ends of a scale; NaN where they are not finite."""
    return np.where(np.isfinite(errors), np.clip(errors, norm.vmin, norm.vmax), nan)


def make_axes(sweep: SweepData, width: float, height: float, *boxes: Sequence[float]) -> tuple[Figure, list[Axes]]:
    """Make a figure with a header and axes in boxes (left, bottom, width, height), all in inches."""
    jobs = list(chain(*sweep.jobs))
    counts = {"settings": len(sweep.jobs), "jobs": len(jobs), "diverged (×)": jobs.count(sweep.bad)}
    counts["failed"] = sum(map(isnan, jobs))
    message = [", ".join(f"{count} {what}" for what, count in counts.items() if count)]
    for best in sweep.best[:1]:
        pairs = zip(sweep.keys, sweep.places[best], strict=True)
        message.append("best: " + ", ".join(f"{key.name}={format_value(key.values[place])}" for key, place in pairs))
        ended = [value for value in sweep.jobs[best] if isfinite(value)]
        own = f" over {len(sweep.jobs[best])} seeds; its best job {(max if sweep.bad < 0 else min)(ended):.6g}"
        message.append(f"{sweep.heading} {sweep.medians[best]:.6g}" + own * (sweep.seeds > 1))
    figure = Picture(figsize=(width, height), dpi=100)
    add_text(
        figure, 0.1, 0.1, "\n".join(format_label(line, int(width / LETTER_WIDTH)) for line in message), fontsize=8.5
    )
    panels = [add_panel(figure, *box) for box in boxes]
    for panel in panels:
        panel.spines[["top", "right"]].set_visible(True)
    return figure, panels


def set_error_axis(panel: Axes, norm: Normalize, letter: Literal["x", "y"] = "y") -> None:
    """Set an axis to the scale of the errors and a little more."""
    log = isinstance(norm, LogNorm)
    panel.set(**{f"{letter}scale": "log" if log else "linear", f"{letter}lim": norm.inverse(np.array([-0.05, 1.05]))})
    if log:
        set_log_ticks(panel.yaxis if letter == "y" else panel.xaxis)


def set_key_axis(
    panel: Axes, letter: Literal["x", "y"], key: SweptKey, inches: float, rotated: bool = False
) -> np.ndarray:
    """Set an axis of some inches up for a key, and return the positions of its values."""
    axis = panel.xaxis if letter == "x" else panel.yaxis
    panel.set(**{f"{letter}label": format_label(key.name), f"{letter}scale": "log" if key.scale == "log" else "linear"})
    numbers = key.scale != "names"
    places = np.array(key.values, dtype=float) if numbers else np.arange(float(len(key.values)))
    if not numbers or len(key.values) <= MOST_COLUMNS:
        height = letter == "y" or rotated
        chosen, labels = key.ticks(0.19 / inches if height else key.inches / inches if numbers else 0)
        axis.set_ticks(places[chosen], labels, rotation=90 if rotated else 0, fontsize=8.5)
        panel.tick_params(axis=letter, which="minor", labelbottom=False, labelleft=False)
    elif key.scale == "log":
        axis.set_view_interval(key.values[0], key.values[-1])
        set_log_ticks(axis)
    return places


def set_ticks(panel: Axes, norm: Normalize) -> None:
    """Label the errors of a panel or a colour bar with round numbers."""
    if isinstance(norm, LogNorm):
        set_log_ticks(panel.yaxis)


def add_figure_legend(figure: Figure, entries: dict[str, Artist], shown: dict[str, bool]) -> None:
    """Add a legend below the header, of all entries but those that are not `shown`."""
    for name, artist in entries.items():
        artist.set_label(name)
    add_legend(figure, {name: artist for name, artist in entries.items() if shown.get(name, True)}, top=HEADER_HEIGHT)
