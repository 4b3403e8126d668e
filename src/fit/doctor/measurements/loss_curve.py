"""How a loss fell, over the learning rate that was spent rather than over time."""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple, Self

import numpy as np


class LossCurve(NamedTuple):
    """A run's looks: its losses less the lowest possible, first, last, least and largest, and how it went on.

    `falling` is by what factor the loss fell over the last half of the rate spent, `lately` over its last quarter;
    `jitter` the standard deviation of the logarithm of the loss about its trend over the last half of the epochs at
    which the rate was at least half its peak.
    """

    first: float
    last: float
    least: float
    largest: float
    falling: float
    lately: float
    jitter: float
    epochs: int
    looks: int

    @classmethod
    def of(cls, history: Sequence[Mapping[str, float]], lowest: float, loss: str = "train/loss") -> Self:
        """Read the looks of a run of which a loss cannot fall below `lowest`."""
        rows = [row for row in history if math.isfinite(row.get(loss, math.nan))]
        if len(rows) < 2:
            return cls(math.nan, math.nan, math.nan, math.nan, 1.0, 1.0, 0.0, 0, len(rows))
        epochs = np.array([row["epoch"] for row in rows])
        losses = np.maximum(np.array([row[loss] for row in rows]) - lowest, 1e-300)
        rates = np.array([row.get("lr", math.nan) for row in rows])
        rates[0] = rates[1] if not math.isfinite(rates[0]) or rates[0] == 0 else rates[0]
        rates = np.where(np.isfinite(rates), rates, 0.0)
        spent = np.concatenate([[0.0], np.cumsum(np.diff(epochs) * (rates[1:] + rates[:-1]) / 2)])
        logs = np.log(losses)
        full = (rates >= 0.5 * rates.max()) & (epochs >= 0.5 * epochs[rates >= 0.5 * rates.max()].max())
        return cls(
            first=float(losses[0]),
            last=float(losses[-1]),
            least=float(losses.min()),
            largest=float(losses.max()),
            falling=float(np.exp(middle(logs, spent, 0.5) - end(logs, spent))),
            lately=float(np.exp(middle(logs, spent, 0.75) - end(logs, spent))),
            jitter=scatter(epochs[full], logs[full]),
            epochs=int(epochs[-1]),
            looks=len(rows),
        )


def middle(logs: np.ndarray, spent: np.ndarray, part: float) -> float:
    """Return the logarithm of the loss when so large a part of the rate was spent: the median of the looks around."""
    total = spent[-1]
    if total <= 0:
        return float(logs[-1])
    near = np.abs(spent / total - part) <= 0.08
    return float(np.median(logs[near])) if near.any() else float(np.interp(part * total, spent, logs))


def end(logs: np.ndarray, spent: np.ndarray) -> float:
    """Return the logarithm of the loss at the end: the median of the last looks."""
    near = spent >= 0.92 * spent[-1]
    return float(np.median(logs[near]))


def scatter(epochs: np.ndarray, logs: np.ndarray) -> float:
    """Return the standard deviation about a straight line."""
    if len(logs) < 5:
        return 0.0
    line = np.polyfit(epochs, logs, 1)
    return float(np.std(logs - np.polyval(line, epochs)))
