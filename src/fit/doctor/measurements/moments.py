"""Second moments of the inputs: the curvature of an affine model's loss, up to a factor."""

from typing import NamedTuple

import torch
from torch import Tensor

# Directions whose variance is below this fraction of the largest count as constant.
NOTHING = 1e-13


class Moments(NamedTuple):
    """The smallest and the largest eigenvalue of the second moments of the inputs and a column of ones for the bias."""

    low: float
    high: float

    @property
    def condition(self) -> float:
        """How many times steeper a loss is in one direction than in another."""
        return self.high / self.low


def second_moments(inputs: Tensor, bias: bool) -> Moments:
    """Measure inputs `[rows, inputs]`; constant directions are left out, constant columns count as one.

    The smallest eigenvalue is that of the inverse, computed from the covariance: for inputs far from zero the moments
    themselves would lose it to rounding. Source: Petersen and Pedersen, The Matrix Cookbook (2012), section 9.1.3.
    """
    constant = inputs.amin(0) == inputs.amax(0)
    size = float(inputs[0][constant].square().sum() + bias) ** 0.5
    varying = inputs[:, ~constant]
    if varying.shape[1] == 0:
        return Moments(size**2 or 1.0, size**2 or 1.0)
    columns = varying if size == 0 else torch.cat([varying, varying.new_full((len(varying), 1), size)], 1)
    high = float(torch.linalg.svdvals(columns)[0]) ** 2 / len(columns)
    if size == 0:
        values = torch.linalg.svdvals(columns) ** 2 / len(columns)
        return Moments(float(values[values > NOTHING * values[0]][-1]), high)
    mean = varying.mean(0)
    inverse = torch.linalg.pinv(torch.cov(varying.T, correction=0).reshape(len(mean), -1), rtol=NOTHING, hermitian=True)
    cross = -(inverse @ mean)[:, None] / size
    corner = ((1 + mean @ inverse @ mean) / size**2).reshape(1, 1)
    whole = torch.cat([torch.cat([inverse, cross], 1), torch.cat([cross.T, corner], 1)])
    return Moments(1 / float(torch.linalg.eigvalsh(whole)[-1]), high)
