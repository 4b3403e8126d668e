"""Scalers, which bring columns to comparable sizes, and back."""

from typing import NamedTuple, Self

import torch
from torch import Tensor


class Scaler(NamedTuple):
    """`(x - center) * factor`, column by column; `center` and `factor` are `[columns]` in float64."""

    center: Tensor
    factor: Tensor

    @classmethod
    def fit(cls, kind: str | float, values: Tensor, zero_constants: bool = False) -> Self:
        """Fit a scaler to values `[rows, columns]`.

        `kind`: `standardize` (mean 0, sample standard deviation 1), `minmax` (0 to 1), `none`, or a number to multiply
        by. The first two scale a constant column to 1 or -1 (0 stays 0), or to 0 with `zero_constants`, for targets;
        the others treat it like any column.
        """
        low, high = values.amin(0), values.amax(0)
        center, factor = torch.zeros_like(low), torch.ones_like(low)
        if kind == "standardize":
            center, factor = values.mean(0), 1 / values.std(0)
        elif kind == "minmax":
            center, factor = low, 1 / (high - low)
        elif kind != "none":
            factor = factor * float(kind)
        constant = low == high
        if zero_constants and kind in ("standardize", "minmax"):
            return cls(torch.where(constant, low, center), factor.masked_fill(constant, 1.0))
        # A constant column such as a year, which has no deviation to divide by, would outweigh every other one.
        size = low.abs().masked_fill(low == 0, 1.0) if kind in ("standardize", "minmax") else torch.ones_like(low)
        return cls(center.masked_fill(constant, 0.0), torch.where(constant, 1 / size, factor))

    def transform(self, values: Tensor) -> Tensor:
        """Scale values `[..., columns]`."""
        return (values - self.center) * self.factor

    def inverse_transform(self, values: Tensor) -> Tensor:
        """Undo `transform`."""
        return values / self.factor + self.center
