"""The picture of a sweep: the error over the swept values."""

from collections.abc import Sequence
from itertools import chain
from math import isfinite, isnan, nan
from statistics import median
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import LogNorm, Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator

from fit.messages import format_value
from fit.report.style import FIT, GREY, LETTER_WIDTH, MISSING, SERIES, TRAIN, add_legend
from fit.sweep.results.axes import (
    HEADER_HEIGHT,
    MOST_COLUMNS,
    add_figure_legend,
    choose_scale,
    clip_to_scale,
    make_axes,
    set_error_axis,
    set_key_axis,
    set_ticks,
)
from fit.sweep.results.figure_data import SEEDS, Point, SweepData, format_label, gather_sweep

__all__ = ["Point", "draw_sweep"]

MOST_WRITTEN_ROWS, MOST_MAPS, MOST_SHARES = 8, 6, 20
# How far axes extend beyond the scale, to separate lines of equal values and to show those that diverged.
BEYOND = 0.06


def draw_sweep(settings: Sequence[Point], error: str) -> Figure | None:
    """Draw the errors of a sweep; None if there is nothing to draw.

    Over seeds alone it is a histogram; over one key a curve or dots; over two, dots if one is continuous; over two or
    three, maps; over more, parallel axes.
    """
    sweep = gather_sweep(settings, error)
    sizes = sorted(len(key.values) for key in sweep.keys)
    if not sizes or np.isnan(sweep.medians).all():
        return None
    every = list(chain(*sweep.jobs))
    if all(key.name in SEEDS for key in sweep.keys):
        return draw_distribution(sweep, *choose_scale(sweep, every, error))
    if len(sizes) == 1:
        return draw_line(sweep, *choose_scale(sweep, every, error))
    medians = choose_scale(sweep, sweep.medians.tolist(), sweep.heading)
    searched = [key for key in sweep.keys if sweep.is_continuous(key)]
    if len(sizes) == 2 and searched:
        return draw_scatter(sweep, *medians)
    parallel = len(sizes) > 3 or bool(searched) or (len(sizes) == 3 and sizes[0] > MOST_MAPS)
    return (draw_parallel if parallel else draw_maps)(sweep, *medians)


def draw_line(sweep: SweepData, norm: Normalize, name: str) -> Figure:
    """Draw errors over one key: a curve with its range for numbers, dots with whiskers for names."""
    (key,), count, curve = sweep.keys, len(sweep.jobs), sweep.keys[0].scale != "names"
    rotated = not curve and count * key.inches > 4.5
    width, bottom = (min(max(4.5, count * 0.25), 16), 0.5 + key.inches) if rotated else (4.5, 0.65)
    figure, (panel,) = make_axes(sweep, width + 1.4, bottom + 3.85, (1.05, bottom, width, 2.7))
    panel.spines[["top", "right"]].set_visible(False)
    panel.set_ylabel(name)
    x = set_key_axis(panel, "x", key, width, rotated)
    shown, medians = [clip_to_scale(norm, row) for row in sweep.jobs], clip_to_scale(norm, sweep.medians)
    entries: dict[str, Artist] = {}
    if sweep.seeds > 1:
        lows, highs = ([end.reduce(row, initial=nan) for row in shown] for end in (np.fmin, np.fmax))
        entries["range"] = (panel.fill_between if curve else panel.vlines)(x, lows, highs, color=TRAIN, alpha=0.2)
        every = x.repeat([len(row) for row in shown]), np.concatenate(shown)
        (entries["jobs"],) = panel.plot(*every, ".", color=TRAIN, alpha=0.5)
    name = "median" if sweep.seeds > 1 else "jobs"
    (entries[name],) = panel.plot(x, medians, "o-" if curve else "o", color=TRAIN, markersize=4)
    best = sweep.best[:1]
    (entries["best"],) = panel.plot(x[best], medians[best], "D", color=FIT, zorder=3)
    lost = [place for place, row in enumerate(sweep.jobs) if sweep.bad in row]
    edge: dict[str, Any] = {"transform": panel.get_xaxis_transform(), "color": GREY, "clip_on": False}
    (entries["diverged"],) = panel.plot(x[lost], [float(sweep.bad > 0)] * len(lost), "x", **edge)
    for place in lost if len(lost) <= MOST_SHARES else []:
        panel.text(x[place], 0.03 + (sweep.bad > 0), sweep.diverged_share(place), ha="center", fontsize=7, **edge)
    set_error_axis(panel, norm)
    if not sweep.best:
        panel.set_yticks([])
    add_figure_legend(figure, entries, {"best": bool(best), "diverged": bool(lost)})
    return figure


def draw_distribution(sweep: SweepData, norm: Normalize, name: str) -> Figure:
    """Draw the errors of jobs that differ only in their seeds: a histogram, and each job below it."""
    figure, (panel, strip) = make_axes(sweep, 5.9, 4.75, (0.75, 1.15, 4.9, 2.45), (0.75, 0.65, 4.9, 0.4))
    ends = norm.inverse(np.linspace(0, 1, max(5, round(2 * len(sweep.medians) ** 0.5))))
    shown = clip_to_scale(norm, sweep.medians)
    entries: dict[str, Artist] = {}
    panel.hist(shown[np.isfinite(shown)], ends.tolist(), color=TRAIN, alpha=0.35)
    (entries["jobs"],) = strip.plot(shown, [0.0] * len(shown), "|", color=TRAIN, markersize=14, markeredgewidth=1.2)
    for best in sweep.best[:1]:
        # A job that diverged is the worst, and what is beyond the scale has its own number all the same.
        middle = median([each for each in sweep.medians if not isnan(each)])
        if isfinite(middle):
            place = float(clip_to_scale(norm, [middle])[0])
            entries[f"median {middle:.6g}"] = panel.axvline(place, color=GREY, linestyle="--", linewidth=1.2)
        (entries["best"],) = strip.plot([shown[best]], [0.0], "D", color=FIT)
    for each in (panel, strip):
        set_error_axis(each, norm, "x")
        each.spines[["top", "right"]].set_visible(False)
    panel.set(ylabel="jobs")
    panel.tick_params(labelbottom=False)
    panel.yaxis.set_major_locator(MaxNLocator(5, integer=True))
    strip.set(xlabel=name, yticks=[])
    add_figure_legend(figure, entries, {})
    return figure


def draw_scatter(sweep: SweepData, norm: Normalize, name: str) -> Figure:
    """Draw errors over a continuous key, by the values of another; coloured dots if both are continuous."""
    order = sorted((0, 1), key=lambda key: -len(sweep.keys[key].values))
    across, other = (sweep.keys[key] for key in order)
    first, second = (sweep.places[:, key] for key in order)
    by_value = len(other.values) <= len(SERIES)
    left = 1.05 if by_value else max(1.05, 0.6 + other.inches)
    figure, (panel, bar) = make_axes(sweep, left + 5.6, 4.6, (left, 0.65, 4.5, 2.9), (left + 4.65, 0.65, 0.15, 2.9))
    panel.spines[["top", "right"]].set_visible(False)
    x = set_key_axis(panel, "x", across, 4.5)[first]
    lost, best, entries = np.isinf(sweep.medians), sweep.best[:1], dict[str, Artist]()
    if by_value:
        y = np.where(lost, norm.inverse(0.0 + (sweep.bad > 0)), clip_to_scale(norm, sweep.medians))
        for place, (value, (color, marker)) in enumerate(zip(other.values, SERIES, strict=False)):
            chosen = (second == place) & ~lost
            (entries[format_label(f"{other.name}={format_value(value)}")],) = panel.plot(
                x[chosen], y[chosen], marker, color=color
            )
        set_error_axis(panel, norm)
        panel.set_ylabel(name)
    else:
        y = set_key_axis(panel, "y", other, 2.9)[second]
        colors = "viridis" if sweep.bad > 0 else "viridis_r"
        dots = panel.scatter(x[~lost], y[~lost], c=sweep.medians[~lost], norm=norm, cmap=colors, s=45)
        figure.colorbar(dots, cax=bar, label=name)
        set_ticks(bar, norm)
    if by_value or not best:
        bar.remove()
    (entries["diverged"],) = panel.plot(x[lost], y[lost], "x", color=GREY)
    ring: dict[str, Any] = {"markerfacecolor": "none", "markersize": 11, "markeredgewidth": 2}
    (entries["best"],) = panel.plot(x[best], y[best], "o", color=FIT, **ring)
    add_figure_legend(figure, entries, {"best": bool(best), "diverged": bool(lost.any())})
    return figure


def draw_maps(sweep: SweepData, norm: Normalize, name: str) -> Figure:
    """Draw the medians over two keys as a map; over three, as one map for each value of the key with the fewest."""
    order = sorted(range(len(sweep.keys)), key=lambda key: len(sweep.keys[key].values))
    *between, up, across = (sweep.keys[key] for key in order)
    grid = np.full([len(sweep.keys[key].values) for key in order], -1)  # the setting of each cell
    grid[tuple(sweep.places[:, order].T)] = range(len(sweep.jobs))
    grid = grid.reshape(-1, *grid.shape[-2:])
    panels, rows, columns = grid.shape
    width, height = max(min(0.62 * columns, 9.0, 16 / panels), 2.0), max(min(0.42 * rows, 7.0), 2.0)
    rotated = across.inches > width / columns
    left, bottom, pitch = 0.5 + up.inches, 0.55 + (across.inches if rotated else 0), width + 0.3
    boxes = [(left + panel * pitch, bottom, width, height) for panel in range(panels)]
    bar = (left + panels * pitch - 0.05, bottom, 0.15, height)
    figure, axes = make_axes(sweep, left + panels * pitch + 1.1, bottom + height + 1.25, *boxes, bar)
    (x, names), (y, others) = across.ticks(0.19 / width if rotated else 0), up.ticks(0.19 / height)
    for i, (panel, cells) in enumerate(zip(axes[:-1], grid, strict=True)):
        draw_cells(sweep, panel, cells, norm, written=0.5 * columns <= width and rows <= MOST_WRITTEN_ROWS)
        panel.set_xticks(x, names, rotation=90 if rotated else 0, fontsize=8.5)
        panel.set_yticks(y, others if i == 0 else [""] * len(y), fontsize=8.5)
        panel.set(xlabel=format_label(across.name), ylabel=format_label(up.name) if i == 0 else "")
        for key in between:
            panel.set_title(
                format_label(f"{key.name}={format_value(key.values[i])}", int(width / LETTER_WIDTH)), fontsize=9.5
            )
    if sweep.best:
        figure.colorbar(axes[0].images[0], cax=axes[-1], label=name)
        set_ticks(axes[-1], norm)
    axes[-1].set_visible(bool(sweep.best))
    drawn: dict[str, Artist] = {str(artist.get_label()): artist for panel in axes for artist in panel.get_children()}
    add_legend(figure, {name: drawn[name] for name in ("best", "diverged") if name in drawn}, top=HEADER_HEIGHT)
    return figure


def draw_cells(sweep: SweepData, panel: Axes, cells: np.ndarray, norm: Normalize, written: bool) -> None:
    """Draw a map whose `cells` are indices of settings: crosses where they diverged, the best outlined."""
    colors = colormaps["viridis" if sweep.bad > 0 else "viridis_r"].with_extremes(bad=MISSING)
    values = np.append(sweep.medians, nan)[cells]
    panel.imshow(np.ma.masked_invalid(values), colors, norm, origin="lower", aspect="auto")
    lost = np.argwhere(np.isinf(values))
    size = min(7, 200 / max(cells.shape))
    if len(lost):
        panel.plot(lost[:, 1], lost[:, 0], "x", color=GREY, markersize=size, label="diverged")
    for row, column in np.argwhere(cells == sweep.best[0]) if sweep.best else []:
        outline = Rectangle((column - 0.5, row - 0.5), 1, 1, fill=False, color=FIT, linewidth=2.5, label="best")
        panel.add_patch(outline).set(clip_on=False, zorder=3)
    for row, column in np.argwhere(cells >= 0) if written else []:
        value, share, color = float(values[row, column]), sweep.diverged_share(cells[row, column]), "black"
        message = f"\n\n{share}"  # below the cross
        if isfinite(value):
            digits = 5 if sweep.bad < 0 and value > 0.99 else 3
            message = format_value(value, digits) + (f"\n{share} ×" if share else "")
            color = "white" if np.dot(colors(norm(value))[:3], (0.3, 0.59, 0.11)) < 0.5 else "black"
        panel.text(column, row, message, ha="center", va="center", color=color, fontsize=8)


def draw_parallel(sweep: SweepData, norm: Normalize, name: str) -> Figure:
    """Draw each setting as a line across one axis per key to its error, the best one highlighted."""
    count, bad = len(sweep.keys), float(sweep.bad > 0)
    step, left = min(2.0, max(14 / count, 1.2)), max(1.0, 0.1 + sweep.keys[0].inches)
    figure, (panel,) = make_axes(sweep, left + step * count + 1, 5.2, (left, 0.2, step * count, 3.7))
    errors = np.full(len(sweep.jobs), bad)
    errors[sweep.best] = norm(sweep.medians[sweep.best])
    lost = np.isinf(sweep.medians)
    ends = np.where(lost, bad + BEYOND * (2 * bad - 1), errors)
    heights = [*draw_keys(sweep, panel, norm, errors, int(step / LETTER_WIDTH) - 1), ends]
    lines = np.stack(np.broadcast_arrays(range(count + 1), norm.inverse(np.stack(heights, 1))), 2)
    order, best = sweep.best[::-1], sweep.best[:1]
    dashes = LineCollection(list(lines[lost]), color=GREY, linewidth=0.8, linestyle="--", alpha=0.5)
    settings = LineCollection(list(lines[order]), norm=norm, alpha=0.6)
    settings.set(array=sweep.medians[order], cmap="viridis" if bad else "viridis_r")
    first = LineCollection(list(lines[best]), color=FIT, linewidth=2.5)
    entries: dict[str, Artist] = {"diverged": dashes, "settings": settings, "best": first}
    for collection in (dashes, settings, first):
        panel.add_collection(collection, autolim=False)
    panel.set(xlim=(0, count), xticks=[], ylabel=name, yscale="log" if isinstance(norm, LogNorm) else "linear")
    panel.set_ylim(norm.inverse(-BEYOND), norm.inverse(1 + BEYOND))
    set_ticks(panel, norm)
    panel.yaxis.tick_right()
    panel.yaxis.set_label_position("right")
    panel.spines[["top", "left", "bottom"]].set_visible(False)
    if not sweep.best:
        panel.set_yticks([])
    add_figure_legend(figure, entries, {"best": bool(best), "diverged": bool(lost.any()), "settings": bool(best)})
    return figure


def draw_keys(sweep: SweepData, panel: Axes, norm: Normalize, errors: np.ndarray, letters: int) -> list[np.ndarray]:
    """Draw an axis for each key, and return at which height, from 0 to 1, each setting crosses it."""
    heights = []
    style: dict[str, Any] = {"ha": "right", "va": "center", "fontsize": 8.5, "zorder": 4}
    style["bbox"] = {"facecolor": "white", "alpha": 0.75, "edgecolor": "none", "pad": 0.5}
    for i, key in enumerate(sweep.keys):
        apart = min(0.5 * np.diff(key.heights).min(), 2 * BEYOND)  # lines through the same value, by their error
        heights.append(key.heights[sweep.places[:, i]] + (errors - 0.5) * apart)
        for place, tick in zip(*key.ticks(0.05 if len(key.values) <= MOST_COLUMNS else 0.12, letters), strict=True):
            panel.text(i - 0.03, norm.inverse(key.heights[place]), tick, **style)
        panel.text(i, norm.inverse(1.1), format_label(key.name, letters), ha="center", fontsize=8.5)
        panel.vlines(i, norm.inverse(-BEYOND), norm.inverse(1 + BEYOND), color="black", linewidth=0.8)
    return heights
