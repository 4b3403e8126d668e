"""x² + y² from 36 points that all lie on a ring (article A1)."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from fit.data.dataset import DataSet, Rows, read_columns, square_grid, uniform
from fit.data.datasets.xy_square import paraboloid
from fit.data.scalers import Scaler

# The circle that fits the 36 points best, by least squares; they lie within 0.02 of it.
CENTER, RADIUS = (-0.034574, -0.075985), 14.0114


@dataclass(frozen=True, kw_only=True)
class XYRing(DataSet):
    """The article's points, with labels from the `raw` coordinates or, as the article does it, from `scaled` ones."""

    input_names = ("x", "y", "1")
    target_names = ("x²+y²",)

    labels: str = "raw"
    square_points: int | None = None

    @property
    def covering(self) -> Mapping[str, object]:
        """Settings with which the training points cover the square."""
        return {} if self.square_points else {"data.square_points": 1024, "data.batch_size": 64}

    def rows(self) -> Rows:
        """Return the 36 points, or `square_points` random points of the square."""
        if self.square_points is not None:
            return self._label(uniform(-15, 15, self.square_points, 2, self.generator(0)))
        return self._label(read_columns("xy_ring.csv")[:, :2])

    def fresh(self) -> dict[str, Rows]:
        """Return fresh points of the ring, and of the square [-15, 15]² around it."""
        angles = uniform(0, 2 * torch.pi, 360, 1, self.generator(1))
        ring = torch.tensor(CENTER, dtype=torch.float64) + RADIUS * torch.cat([angles.cos(), angles.sin()], 1)
        square = uniform(-15, 15, 1024, 2, self.generator(4))
        return {"val": self._label(ring), "square": self._label(square)}

    def drawn(self) -> Rows:
        """Return a grid over the square."""
        return self._label(square_grid(-15, 15))

    def _label(self, points: Tensor) -> Rows:
        """Label points `[rows, 2]`; scaled labels use the mean and deviation of the article's points."""
        if self.labels == "raw":
            return paraboloid(points)
        scaler = Scaler.fit("standardize", read_columns("xy_ring.csv")[:, :2])
        return Rows(paraboloid(points).inputs, paraboloid(scaler.transform(points)).targets)
