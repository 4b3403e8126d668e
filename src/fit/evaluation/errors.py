"""Errors in the data's own units."""

import torch
from torch import Tensor


def errors(predictions: Tensor, truth: Tensor) -> dict[str, Tensor]:
    """Measure predictions `[members, rows, targets]` against the truth `[members or 1, rows, targets]`.

    Each error is `[members, 1 + targets]`: over all targets, then target by target. `r2` is 1 - SSE/SST, SST about
    each target's mean over these rows; `nrmse` is RMSE over the targets' standard deviation, so r2 = 1 - nrmse². Both
    are NaN for constant targets.
    """
    squares = (predictions - truth).square()
    spread = truth.var(1, correction=0).expand(len(predictions), -1)
    mse = with_total(squares.mean(1))
    ratio = mse / with_total(spread)
    ratio = ratio.masked_fill(with_total(spread) == 0, torch.nan)
    largest = (predictions - truth).abs().amax(1)
    return {
        "mse": mse,
        "rmse": mse.sqrt(),
        "max_error": torch.cat([largest.amax(1, keepdim=True), largest], 1),
        "r2": 1 - ratio,
        "nrmse": ratio.sqrt(),
    }


def with_total(values: Tensor) -> Tensor:
    """Put the mean over targets in front of `[members, targets]`."""
    return torch.cat([values.mean(1, keepdim=True), values], 1)
