"""The picture of a sweep: the error over the values that were swept."""

from collections.abc import Sequence
from itertools import chain
from math import inf, isfinite, isnan, nan, prod
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import LogNorm, Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from fit.report.figures import DATA, FIT, MOST_PANELS, TRUTH
from fit.report.sweep_data import LETTER, Point, Sweep, gather, label, text

__all__ = ["Point", "draw_sweep"]

MISSING = "#eeeeee"
MOST_COLUMNS, MOST_ROWS, MOST_BEST, MOST_SHARES = 12, 8, 10, 20


def draw_sweep(settings: Sequence[Point], error: str) -> Figure | None:
    """Draw a curve or dots for one key, maps for two or three, parallel axes for more; None if nothing can be drawn."""
    sweep = gather(settings, -inf if error.endswith("r2") else inf)
    sizes = sorted(len(key.values) for key in sweep.keys)
    if not sizes or np.isnan(sweep.medians).all():
        return None
    if len(sizes) == 1:
        return draw_row(sweep, *measure(sweep, list(chain(*sweep.jobs)), error))
    at_random = sizes[-1] > MOST_COLUMNS and prod(sizes) > 4 * len(sweep.places)
    parallel = len(sizes) > 3 or at_random or (len(sizes) == 3 and sizes[0] > MOST_PANELS)
    return (draw_parallel if parallel else draw_maps)(sweep, *measure(sweep, sweep.medians.tolist(), error))


def measure(sweep: Sweep, shown: Sequence[float], error: str) -> tuple[Normalize, str]:
    """Choose the scale of the errors shown, and name it; what is beyond its ends is drawn there."""
    finite = [value for value in shown if isfinite(value)] or [0.0, 1.0]
    low, high, positive = min(finite), max(finite), min((value for value in finite if value > 0), default=inf)
    log = sweep.bad > 0 and low >= 0 and high > 10 * positive
    if sweep.bad < 0:  # from 0 where any is above; from 10 times the best where none is
        low, high = (max(low, 0.0), 1.0) if high > 0 else (max(low, 10 * high - 1), 0.0)
    elif log:
        low = low or positive / 3
    if low == high:
        low, high = low - (abs(low) or 1) / 2, high + (0 if sweep.bad < 0 else (abs(high) or 1) / 2)
    name = label(error) + (f" (lower ones at {text(low, 2)})" if min(finite) < low else "")
    return (LogNorm if log else Normalize)(low, high, clip=True), name


def within(norm: Normalize, errors: Sequence[float] | np.ndarray) -> np.ndarray:
    """Move errors beyond the ends of a scale to its ends; nan where they are not finite."""
    return np.where(np.isfinite(errors), np.clip(errors, norm.vmin, norm.vmax), nan)


def make_axes(sweep: Sweep, width: float, height: float, *boxes: Sequence[float]) -> tuple[Figure, list[Axes]]:
    """Make a figure of some inches with axes in boxes (left, bottom, width, height), and the counts at its top."""
    jobs = list(chain(*sweep.jobs))
    counts = {"settings": len(sweep.jobs), "jobs": len(jobs), "diverged (×)": jobs.count(sweep.bad)}
    counts["failed"] = sum(map(isnan, jobs))
    told = [", ".join(f"{count} {what}" for what, count in counts.items() if count)]
    for best in sweep.best[:1]:
        pairs = zip(sweep.keys, sweep.places[best], strict=True)
        values = ", ".join(f"{key.name}={text(key.values[place])}" for key, place in pairs)
        told.append(f"best: {text(float(sweep.medians[best]), 6)} at {values}")
    figure = Figure(figsize=(width, height), dpi=100)
    lines = "\n".join(label(line, int(width / LETTER)) for line in told)
    figure.text(0.1 / width, 1 - 0.1 / height, lines, color=DATA, fontsize=8.5, va="top")
    return figure, [figure.add_axes((x / width, y / height, w / width, h / height)) for x, y, w, h in boxes]


def draw_row(sweep: Sweep, norm: Normalize, name: str) -> Figure:
    """Draw errors over one key: a curve with its range over numbers, dots with whiskers over names."""
    (key,), count, curve = sweep.keys, len(sweep.jobs), sweep.keys[0].scale != "names"
    turned = not curve and count * key.inches > 4.5
    width, bottom = (min(max(4.5, count * 0.25), 16), 0.5 + key.inches) if turned else (4.5, 0.65)
    figure, (panel,) = make_axes(sweep, width + 1.4, bottom + 3.4, (1.05, bottom, width, 2.7))
    panel.set(xlabel=label(key.name), ylabel=name, ylim=norm.inverse(np.array([-0.05, 1.05])))
    panel.set(xscale="log" if key.scale == "log" else "linear", yscale="log" if isinstance(norm, LogNorm) else "linear")
    panel.spines[["top", "right"]].set_visible(False)
    x = np.array(key.values, dtype=float) if curve else np.arange(float(count))
    shown, medians = [within(norm, row) for row in sweep.jobs], within(norm, sweep.medians)
    if max(map(len, shown)) > 1:
        lows, highs = ([end.reduce(row, initial=nan) for row in shown] for end in (np.fmin, np.fmax))
        (panel.fill_between if curve else panel.vlines)(x, lows, highs, color=TRUTH, alpha=0.2, label="range")
        panel.plot(
            x.repeat([len(row) for row in shown]), np.concatenate(shown), ".", color=TRUTH, alpha=0.35, label="jobs"
        )
    panel.plot(x, medians, "o-" if curve else "o", color=TRUTH, markersize=4, label="median")
    panel.plot(x[sweep.best[:1]], medians[sweep.best[:1]], "o", color=FIT, label="best")
    lost = [place for place, row in enumerate(sweep.jobs) if sweep.bad in row]
    edge: dict[str, Any] = {"transform": panel.get_xaxis_transform(), "color": DATA, "clip_on": False}
    panel.plot(x[lost], [float(sweep.bad > 0)] * len(lost), "x", label="diverged", **edge)
    for place in lost if len(lost) <= MOST_SHARES else []:
        panel.text(x[place], 0.03 + (sweep.bad > 0), sweep.share(place), ha="center", fontsize=7, **edge)
    if not curve or count <= MOST_COLUMNS:
        chosen, labels = key.ticks(0.19 / width if turned else key.inches / width if curve else 0)
        panel.set_xticks(x[chosen], labels, rotation=90 if turned else 0, fontsize=8.5)
        panel.tick_params(axis="x", which="minor", labelbottom=False)
    if not sweep.best:
        panel.set_yticks([])
    return figure


def draw_maps(sweep: Sweep, norm: Normalize, name: str) -> Figure:
    """Draw the medians over two keys as a map; over three, as a map for each value of the key with the fewest."""
    order = sorted(range(len(sweep.keys)), key=lambda key: len(sweep.keys[key].values))
    *between, up, across = (sweep.keys[key] for key in order)
    grid = np.full([len(sweep.keys[key].values) for key in order], -1)  # the setting of each cell
    grid[tuple(sweep.places[:, order].T)] = range(len(sweep.jobs))
    grid = grid.reshape(-1, *grid.shape[-2:])
    panels, rows, columns = grid.shape
    width, height = max(min(0.62 * columns, 9.0, 16 / panels), 2.0), max(min(0.42 * rows, 7.0), 2.0)
    turned = across.inches > width / columns
    left, bottom, pitch = 0.5 + up.inches, 0.55 + (across.inches if turned else 0), width + 0.3
    boxes = [(left + panel * pitch, bottom, width, height) for panel in range(panels)]
    bar = (left + panels * pitch - 0.05, bottom, 0.15, height)
    figure, axes = make_axes(sweep, left + panels * pitch + 1.1, bottom + height + 0.85, *boxes, bar)
    (x, names), (y, others) = across.ticks(0.19 / width if turned else 0), up.ticks(0.19 / height)
    for i, (panel, cells) in enumerate(zip(axes[:-1], grid, strict=True)):
        draw_cells(sweep, panel, cells, norm, written=0.5 * columns <= width and rows <= MOST_ROWS)
        panel.set_xticks(x, names, rotation=90 if turned else 0, fontsize=8.5)
        panel.set_yticks(y, others if i == 0 else [""] * len(y), fontsize=8.5)
        panel.set(xlabel=label(across.name), ylabel=label(up.name) if i == 0 else "")
        for key in between:
            panel.set_title(label(f"{key.name}={text(key.values[i])}", int(width / LETTER)), fontsize=9.5)
    if sweep.best:
        figure.colorbar(axes[0].images[0], cax=axes[-1], label=name)
    axes[-1].set_visible(bool(sweep.best))
    return figure


def draw_cells(sweep: Sweep, panel: Axes, cells: np.ndarray, norm: Normalize, written: bool) -> None:
    """Draw the cells of a map, given which setting is in each: crosses where it diverged, the best outlined."""
    colors = colormaps["viridis" if sweep.bad > 0 else "viridis_r"].with_extremes(bad=MISSING)
    values = np.append(sweep.medians, nan)[cells]
    panel.imshow(np.ma.masked_invalid(values), colors, norm, origin="lower", aspect="auto")
    lost = np.argwhere(np.isinf(values))
    size = min(7, 200 / max(cells.shape))
    panel.plot(lost[:, 1], lost[:, 0], "x", color=DATA, markersize=size, label="diverged")
    for row, column in np.argwhere(cells == sweep.best[0]) if sweep.best else []:
        outline = Rectangle((column - 0.5, row - 0.5), 1, 1, fill=False, color=FIT, linewidth=2.5, label="best")
        panel.add_patch(outline).set(clip_on=False, zorder=3)
    for row, column in np.argwhere(cells >= 0) if written else []:
        value, share, color = float(values[row, column]), sweep.share(cells[row, column]), "black"
        told = f"\n\n{share}"  # below the cross
        if isfinite(value):
            digits = 5 if sweep.bad < 0 and value > 0.99 else 3
            told = text(value, digits) + (f"\n{share} ×" if share else "")
            color = "white" if np.dot(colors(norm(value))[:3], (0.3, 0.59, 0.11)) < 0.5 else "black"
        panel.text(column, row, told, ha="center", va="center", color=color, fontsize=8)


def draw_parallel(sweep: Sweep, norm: Normalize, name: str) -> Figure:
    """Draw each setting as a line across an axis for each key, to its error; the best on top."""
    count, bad = len(sweep.keys), float(sweep.bad > 0)
    step, left = min(2.0, max(14 / count, 1.2)), max(1.0, 0.1 + sweep.keys[0].inches)
    figure, (panel,) = make_axes(sweep, left + step * count + 1, 4.8, (left, 0.2, step * count, 3.7))
    errors = np.full(len(sweep.jobs), bad)
    errors[sweep.best] = norm(sweep.medians[sweep.best])
    lost = np.isinf(sweep.medians)
    heights = [
        *draw_keys(sweep, panel, norm, errors, int(step / LETTER) - 1),
        np.where(lost, 1.12 * bad - 0.06, errors),
    ]
    lines = np.stack(np.broadcast_arrays(range(count + 1), norm.inverse(np.stack(heights, 1))), 2)
    order, best = sweep.best[::-1], sweep.best[: min(MOST_BEST, -(-len(sweep.best) // 5))]
    dashes = LineCollection(list(lines[lost]), color=DATA, linewidth=0.8, linestyle="--", alpha=0.5, label="diverged")
    settings = LineCollection(list(lines[order]), norm=norm, alpha=0.6, label="settings")
    settings.set(array=sweep.medians[order], cmap="viridis" if bad else "viridis_r")
    for collection in (dashes, settings, LineCollection(list(lines[best]), color=FIT, linewidth=1.8, label="best")):
        panel.add_collection(collection, autolim=False)
    panel.set(xlim=(0, count), xticks=[], ylabel=name, yscale="log" if isinstance(norm, LogNorm) else "linear")
    panel.set_ylim(norm.inverse(-0.08), norm.inverse(1.08))
    panel.yaxis.tick_right()
    panel.yaxis.set_label_position("right")
    panel.spines[["top", "left", "bottom"]].set_visible(False)
    if not sweep.best:
        panel.set_yticks([])
    return figure


def draw_keys(sweep: Sweep, panel: Axes, norm: Normalize, errors: np.ndarray, letters: int) -> list[np.ndarray]:
    """Draw an axis for each key, and tell at which height each setting crosses it, from 0 to 1."""
    heights = []
    style: dict[str, Any] = {"ha": "right", "va": "center", "fontsize": 8.5}
    style["bbox"] = {"facecolor": "white", "alpha": 0.75, "edgecolor": "none", "pad": 0.5}
    for i, key in enumerate(sweep.keys):
        apart = min(0.5 * np.diff(key.heights).min(), 0.1)  # lines through the same value, by their error
        heights.append(key.heights[sweep.places[:, i]] + (errors - 0.5) * apart)
        for place, tick in zip(*key.ticks(0.05 if len(key.values) <= MOST_COLUMNS else 0.12, letters), strict=True):
            panel.text(i - 0.03, norm.inverse(key.heights[place]), tick, **style)
        panel.text(i, norm.inverse(1.1), label(key.name, letters), ha="center", fontsize=8.5)
        panel.vlines(i, norm.inverse(0), norm.inverse(1), color="black", linewidth=0.8)
    return heights
