"""How well the inputs can explain the targets, whatever the network."""

from functools import lru_cache
from typing import NamedTuple

import torch
from torch import Tensor

from fit.data.dataset import Rows
from fit.data.problem import Problem
from fit.data.scalers import Scaler
from fit.doctor.measurements.outliers import outliers_by_inputs, outliers_by_targets
from fit.doctor.thresholds import MISSES, SHAPE_ROOM

# Rows used; factoring a kernel matrix of this size takes a few hundredths of a second.
MOST_KERNEL_ROWS = 256
# Of polynomials of inputs.
POWERS = (2, 3)
LENGTHS = (0.03, 0.06, 0.12, 0.25, 0.5, 1.0, 3.0)
# A length scale suffices if its errors are at most this many times the best ones, or this small.
ROOM, SMALL = 1.5, 0.05
RIDGES = (1e-9, 1e-6, 1e-4, 1e-2, 1e-1, 1.0)


class Attainable(NamedTuple):
    """Leave-one-out errors of the best affine and of a smooth function, over each target's deviation `[targets]`.

    `length` is the longest length scale, in standard deviations of the inputs, of a smooth function that is about as
    good as the best; `rows` is how many rows were used. `outliers` marks the training rows `[rows]` that were left out,
    if only without them anything is explained.
    """

    affine: Tensor
    smooth: Tensor
    length: float
    rows: int
    outliers: Tensor


@lru_cache(maxsize=64)
def estimate_attainable(problem: Problem) -> Attainable:
    """Estimate the attainable errors on the training rows; for measured data, without outliers if these hide them."""
    train = problem.train
    none = torch.zeros(len(train.inputs), dtype=torch.bool)
    if problem.dataset.knows_truth:
        return cross_validate(sample_rows(train, MOST_KERNEL_ROWS), none)
    outliers = outliers_by_targets(train) | outliers_by_inputs(train)
    if not outliers.any():
        return cross_validate(sample_rows(train, MOST_KERNEL_ROWS), none)
    inliers, far = (train.take(which.nonzero()[:, 0]) for which in (~outliers, outliers))
    far = sample_rows(far, MOST_KERNEL_ROWS // 4)
    near = sample_rows(inliers, MOST_KERNEL_ROWS - len(far.inputs))
    whole = cross_validate(Rows(torch.cat([near.inputs, far.inputs]), torch.cat([near.targets, far.targets])), none)
    clean = cross_validate(sample_rows(inliers, MOST_KERNEL_ROWS), outliers)
    hidden = (whole.smooth > MISSES) & (clean.smooth < SHAPE_ROOM * whole.smooth)
    return clean if bool(hidden.any()) else whole


def cross_validate(rows: Rows, outliers: Tensor) -> Attainable:
    """Predict each row from the others.

    The smooth function is an affine one plus kernel ridge regression on what that leaves, its kernel (Gaussians of some
    length scale, or polynomials, which have the products of inputs) and ridge chosen by the same error. Source: Golub,
    Heath and Wahba, Generalized Cross-Validation (1979); Rasmussen and Williams, Gaussian Processes for Machine
    Learning (2006), section 5.4.2.
    """
    inputs, targets = (Scaler.fit("standardize", each).transform(each) for each in rows)
    inputs = inputs[:, inputs.amin(0) < inputs.amax(0)]
    design = torch.cat([inputs, torch.ones_like(targets[:, :1])], 1)
    spread = targets.std(0, correction=0)
    affine = rms(leave_one_out_errors(design @ design.T, targets, 1e-8 * len(targets))) / spread
    best, by_length = affine.clone(), dict[float, Tensor]()
    if inputs.shape[1]:
        distances = torch.cdist(inputs, inputs).square() / inputs.shape[1]
        linear = design @ design.T
        for length in LENGTHS:
            kernel = torch.exp(-distances / (2 * length**2)) + 1e2 * linear / len(linear)
            by_length[length] = torch.minimum(affine, ridge_errors(kernel, targets) / spread)
            best = torch.minimum(best, by_length[length])
        for power in POWERS if inputs.shape[1] > 1 else ():
            kernel = (1 + inputs @ inputs.T / inputs.shape[1]) ** power
            best = torch.minimum(best, ridge_errors(kernel, targets) / spread)
    enough = (length for length in reversed(LENGTHS) if length in by_length and is_near_best(by_length[length], best))
    return Attainable(affine, best, next(enough, LENGTHS[-1]), len(targets), outliers)


def ridge_errors(kernel: Tensor, targets: Tensor) -> Tensor:
    """Return the RMSE of rows left out `[targets]`, of the ridge at which it is least."""
    values, vectors = torch.linalg.eigh(kernel)
    errors = []
    for ridge in RIDGES:
        weights = 1 / (values.clamp(min=0) + ridge)
        solved = vectors @ (weights[:, None] * (vectors.T @ targets))
        errors.append(rms(solved / (vectors.square() @ weights)[:, None]))
    return torch.stack(errors).amin(0)


def is_near_best(reached: Tensor, best: Tensor) -> bool:
    """Whether errors are about as small as the best ones, or small."""
    return bool((reached <= (ROOM * best).clamp(min=SMALL)).all() or best.isnan().all())


def leave_one_out_errors(kernel: Tensor, targets: Tensor, ridge: float) -> Tensor:
    """Return each row's error `[rows, targets]` when kernel ridge regression predicts it from the others."""
    inverse = torch.linalg.inv(kernel + ridge * torch.eye(len(kernel), dtype=kernel.dtype))
    errors: Tensor = inverse @ targets / inverse.diagonal()[:, None]
    return errors


def rms(values: Tensor) -> Tensor:
    """Return the root mean square over rows."""
    return values.square().mean(0).sqrt()


def sample_rows(rows: Rows, most: int) -> Rows:
    """Return at most `most` rows, always the same ones."""
    count = len(rows.inputs)
    if count <= most:
        return rows
    return rows.take(torch.randperm(count, generator=torch.Generator().manual_seed(0))[:most].sort().values)
