"""How a loss fell, as a function of the sum of the learning rates rather than of time."""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple, Self

import numpy as np


class LossCurve(NamedTuple):
    """A run's losses minus the lowest possible one: the first, last, least and largest, and their trend.

    `falling` is the factor by which the loss fell over the last half of the summed learning rate, `falling_lately` over
    its last quarter. `jitter` is the standard deviation of the logarithm of the loss about its trend, over the last
    half of the epochs with at least half the peak rate. `epochs` and `evaluations` are how many there were.
    """

    first: float
    last: float
    least: float
    largest: float
    falling: float
    falling_lately: float
    jitter: float
    epochs: int
    evaluations: int

    @classmethod
    def of(cls, history: Sequence[Mapping[str, float]], lowest: float, loss: str = "train/loss") -> Self:
        """Summarize the history of a run whose loss cannot fall below `lowest`."""
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
            falling=float(np.exp(log_loss_at(logs, spent, 0.5) - final_log_loss(logs, spent))),
            falling_lately=float(np.exp(log_loss_at(logs, spent, 0.75) - final_log_loss(logs, spent))),
            jitter=deviation_from_line(epochs[full], logs[full]),
            epochs=int(epochs[-1]),
            evaluations=len(rows),
        )


def log_loss_at(logs: np.ndarray, spent: np.ndarray, part: float) -> float:
    """Return the log loss after a fraction of the summed rate: the median of the evaluations nearby."""
    total = spent[-1]
    if total <= 0:
        return float(logs[-1])
    near = np.abs(spent / total - part) <= 0.08
    return float(np.median(logs[near])) if near.any() else float(np.interp(part * total, spent, logs))


def final_log_loss(logs: np.ndarray, spent: np.ndarray) -> float:
    """Return the final log loss: the median of the last evaluations."""
    near = spent >= 0.92 * spent[-1]
    return float(np.median(logs[near]))


def deviation_from_line(epochs: np.ndarray, logs: np.ndarray) -> float:
    """Return the standard deviation about a fitted straight line."""
    if len(logs) < 5:
        return 0.0
    line = np.polyfit(epochs, logs, 1)
    return float(np.std(logs - np.polyval(line, epochs)))
