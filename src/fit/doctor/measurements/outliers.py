"""Rows so far from all others that they look like errors in the data."""

import torch
from torch import Tensor

from fit.data.dataset import Rows
from fit.doctor.thresholds import OUTLIER_DEVIATIONS, OUTLIER_GAP, OUTLIER_ROWS


def robust_deviation(values: Tensor) -> Tensor:
    """Return the standard deviation of values `[rows, ...]`, estimated from their median absolute deviation."""
    return 1.4826 * (values - values.median(0).values).abs().median(0).values


def far_off(values: Tensor) -> Tensor:
    """Return which values `[rows, ...]` are far from the median of their column."""
    usual = robust_deviation(values)
    return ((values - values.median(0).values).abs() > OUTLIER_DEVIATIONS * usual) & (usual > 0)


def outliers_by_targets(rows: Rows) -> Tensor:
    """Return which rows `[rows]`, if few, have a target far off."""
    return only_if_rare(far_off(rows.targets)).any(1)


def outliers_by_inputs(rows: Rows) -> Tensor:
    """Return which rows `[rows]`, if few, have an input far off with a gap to all others, unlike a long tail."""
    far = only_if_rare(far_off(rows.inputs))
    away = (rows.inputs - rows.inputs.median(0).values).abs()
    nearest = away.masked_fill(~far, torch.inf).amin(0)
    return (far & (nearest > OUTLIER_GAP * away.masked_fill(far, 0.0).amax(0))).any(1)


def only_if_rare(far: Tensor) -> Tensor:
    """Clear the columns of `far` `[rows, columns]` with too many rows far off to be outliers."""
    return far & (far.double().mean(0) <= OUTLIER_ROWS)


def inlier_errors(errors: Tensor, targets: Tensor, train: Tensor) -> list[float]:
    """Return each target's RMSE over its standard deviation, without outliers, for errors `[rows, targets]`.

    Outliers are those far from the median of the training targets `train`.
    """
    center, usual = train.median(0).values, robust_deviation(train)
    # Where more than half of the targets are the same number, none can be called far off.
    reach = torch.where(usual > 0, OUTLIER_DEVIATIONS * usual, torch.inf)
    columns = zip(errors.T, (targets - center).T, reach, strict=True)
    kept = [(error[away.abs() <= most], away[away.abs() <= most]) for error, away, most in columns]
    sizes = ((float(error.square().mean().sqrt()), float(away.std(correction=0))) for error, away in kept)
    return [relative_error(error, spread) for error, spread in sizes]


def relative_error(error: float, spread: float) -> float:
    """Return an error over a standard deviation; 0 for a constant target, which is not judged."""
    return error / spread if spread > 0 else 0.0
