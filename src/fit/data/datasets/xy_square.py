"""x² + y² on a square."""

from dataclasses import dataclass

import torch
from torch import Tensor

from fit.data.dataset import DataSet, Rows, square_grid, uniform


@dataclass(frozen=True, kw_only=True)
class XYSquare(DataSet):
    """Points drawn uniformly from `[low, high]²`; `noise` is the standard deviation of the noise on the targets."""

    input_names = ("x", "y", "1")
    target_names = ("x²+y²",)

    points: int = 1024
    low: float = -15.0
    high: float = 15.0
    noise: float = 0.0

    def rows(self) -> Rows:
        """Return the training points, with noise."""
        rows = paraboloid(uniform(self.low, self.high, self.points, 2, self.generator(0)))
        noise = torch.randn(rows.targets.shape, generator=self.generator(3), dtype=torch.float64)
        return Rows(rows.inputs, rows.targets + self.noise * noise)

    def fresh(self) -> dict[str, Rows]:
        """Return as many fresh points of the square, without noise."""
        return {"val": paraboloid(uniform(self.low, self.high, max(self.points, 1024), 2, self.generator(1)))}

    def drawn(self) -> Rows:
        """Return a grid over the square."""
        return paraboloid(square_grid(self.low, self.high))


def paraboloid(points: Tensor) -> Rows:
    """Return `[x, y, 1]` with x² + y² for points `[rows, 2]`."""
    return Rows(
        torch.cat([points, torch.ones(len(points), 1, dtype=points.dtype)], 1), points.square().sum(1, keepdim=True)
    )
