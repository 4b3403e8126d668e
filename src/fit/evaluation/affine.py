"""Affine functions: the best one for some rows, and the one that an affine network has become."""

from typing import NamedTuple

import torch
from torch import Tensor

from fit.data.dataset import Rows


class Affine(NamedTuple):
    """`x @ slopes + offset`: slopes `[inputs, targets]`, offset `[targets]`."""

    slopes: Tensor
    offset: Tensor

    def __call__(self, inputs: Tensor) -> Tensor:
        """Map inputs `[rows, inputs]` to `[rows, targets]`."""
        return inputs @ self.slopes + self.offset


def mean_answer(rows: Rows) -> Affine:
    """Return the function whose value is the mean of the targets everywhere."""
    return Affine(rows.inputs.new_zeros(rows.inputs.shape[1], rows.targets.shape[1]), rows.targets.mean(0))


def least_squares(rows: Rows, *, bias: bool = True) -> Affine:
    """Return the affine function (without `bias`, the linear one) of least squared error, in closed form.

    Source: Golub and Van Loan, Matrix Computations, least squares by the singular value decomposition.
    """
    center = rows.inputs.mean(0) if bias else torch.zeros_like(rows.inputs[0])
    middle = rows.targets.mean(0) if bias else torch.zeros_like(rows.targets[0])
    slopes = torch.linalg.lstsq(rows.inputs - center, rows.targets - middle, driver="gelsd").solution
    return Affine(slopes, middle - center @ slopes)
