"""The data of a sweep's picture: the swept keys with their values, in order, and the errors of each setting."""

from collections.abc import Mapping, Sequence
from math import inf, isfinite, isnan, nan
from statistics import median
from typing import Any, NamedTuple

import numpy as np
from matplotlib.font_manager import FontProperties, findfont, get_font

from fit.messages import format_value
from fit.report.style import LETTER_WIDTH

MOST_LETTERS = 24
# Keys that only repeat a setting with other random numbers.
SEEDS = ("seed", "data.seed")


class Point(NamedTuple):
    """One combination of swept values, and the error of each of its jobs (seeds)."""

    values: Mapping[str, object]  # swept key -> value (numbers, strings, None, booleans, lists); seeds left out
    errors: Sequence[float]  # one per job; inf: diverged; nan: failed (not drawn, but counted)


class SweptKey(NamedTuple):
    """A swept key and its distinct values: numbers ascending, names in the order given."""

    name: str
    values: list[Any]
    scale: str  # linear, log, or names: in equal steps
    heights: np.ndarray  # of the values on this scale, from 0 to 1
    inches: float  # width of the longest label

    def ticks(self, apart: float, most: int = MOST_LETTERS) -> tuple[list[int], list[str]]:
        """Choose values at least `apart` on the scale from 0 to 1; return their indices and labels."""
        chosen = [0]
        for place, height in enumerate(self.heights):
            if place and height - self.heights[chosen[-1]] >= apart:
                chosen.append(place)
        return chosen, [format_label(self.values[place], most) for place in chosen]


class SweepData(NamedTuple):
    """The data that is drawn: settings in the order of their keys' values."""

    keys: list[SweptKey]
    places: np.ndarray  # `[settings, keys]`: indices into the key's values
    jobs: list[list[float]]  # errors of each setting: `bad` where diverged, nan where failed
    medians: np.ndarray  # of each setting: `bad` where half of its jobs diverged, nan where all failed
    best: list[int]  # settings with a finite median, best first
    bad: float  # infinity; minus infinity where higher is better
    error: str  # the metric that settings are compared by

    @property
    def seeds(self) -> int:
        """The largest number of jobs of a setting."""
        return max(map(len, self.jobs))

    @property
    def heading(self) -> str:
        """The name of the number shown for a setting."""
        return f"median {self.error}" if self.seeds > 1 else self.error

    def is_continuous(self, key: SweptKey) -> bool:
        """Whether hardly any of a key's numbers repeats, as in a search."""
        return key.scale != "names" and len(key.values) > max(3, len(self.jobs) / 2)

    def diverged_share(self, setting: int) -> str:
        """Return how many of a setting's jobs diverged, such as `2/5`; empty if none did, or there is only one."""
        row = self.jobs[setting]
        return f"{row.count(self.bad)}/{len(row)}" if self.bad in row and len(row) > 1 else ""


def gather_sweep(settings: Sequence[Point], error: str) -> SweepData:
    """Sort settings by their swept values; keys with a single value are dropped, settings with equal values merged.

    The best are ranked as in the table: in a median, a failed job counts as a diverged one; of equal medians the one
    with the best job is first.
    """
    bad = -inf if error.endswith("r2") else inf
    columns = {
        name: [setting.values[name] for setting in settings] for name in (settings[0].values if settings else ())
    }
    keys = [key for key in map(gather_key, columns, columns.values()) if len(key.values) > 1]
    indices = [{format_value(value, 12): place for place, value in enumerate(key.values)} for key in keys]
    merged: dict[tuple[int, ...], list[float]] = {}
    for values, errors in settings:
        place = tuple(index[format_value(values[key.name], 12)] for key, index in zip(keys, indices, strict=True))
        merged.setdefault(place, []).extend(bad if abs(value) == inf else value for value in errors)
    places = sorted(merged)
    jobs = [merged[place] for place in places]
    sign = -1 if bad < 0 else 1
    costs = [[sign * (bad if isnan(value) else value) for value in row] for row in jobs]
    medians = np.array([sign * median(cost) if cost else nan for cost in costs])
    failed = np.array([bad not in row for row in jobs], dtype=bool)
    medians[np.isinf(medians) & failed] = nan
    ended = [row for row in range(len(jobs)) if isfinite(medians[row])]
    best = sorted(ended, key=lambda row: (sign * medians[row], min(costs[row])))
    return SweepData(keys, np.array(places), jobs, medians, best, bad, error)


def gather_key(name: str, given: Sequence[Any]) -> SweptKey:
    """Find the distinct values of a key and their scale."""
    values = list({format_value(value, 12): value for value in given}.values())
    scale, places = "names", np.arange(float(len(values)))
    if all(isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value) for value in values):
        values.sort()
        if is_geometric(values):
            scale, places = "log", np.log(values)
        elif values[0] != 0 or not is_geometric(values[1:]):  # 0, 1e-4, 1e-3 are readable only evenly spaced
            scale, places = "linear", np.array(values, dtype=float)
    heights = (places - places[0]) / (places[-1] - places[0] or 1)
    return SweptKey(
        name, values, scale, heights, LETTER_WIDTH * (1 + max(len(format_label(value)) for value in values))
    )


def is_geometric(values: Sequence[float]) -> bool:
    """Whether ascending numbers are about geometric, or span a wide range and crowd at its low end."""
    if len(values) < 2 or values[0] <= 0 or values[-1] < 4 * values[0]:
        return False
    if len(values) == 2:
        return values[1] >= 10 * values[0]
    growth = np.diff(np.log(values))
    crowded = median(values) < 0.75 * values[0] + 0.25 * values[-1]
    return bool(growth.max() <= 1.5 * growth.min() or (crowded and values[-1] > 30 * values[0]))


def format_label(value: object, most: int = MOST_LETTERS) -> str:
    """Format a value in at most `most` letters, all of which the font has."""
    font = get_font(findfont(FontProperties()))
    given = "".join(
        letter if font.get_char_index(ord(letter)) else ascii(letter)[1:-1] for letter in format_value(value)
    )
    shown = given if len(given) <= most else f"{given[: most // 2]}…{given[most // 2 + 1 - most :]}"
    return shown.replace("$", r"\$")
