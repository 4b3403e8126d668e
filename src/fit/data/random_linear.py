"""Pure noise: inputs and targets that have nothing to do with each other (article A2)."""

from dataclasses import dataclass

import torch
from torch import Generator

from fit.data.dataset import DataSet, Rows


@dataclass(frozen=True, kw_only=True)
class RandomLinear(DataSet):
    """Rows of 20 standard-normal inputs and 60 standard-normal targets."""

    inputs = tuple(f"x{column}" for column in range(1, 21))
    targets = tuple(f"y{column}" for column in range(1, 61))

    points: int = 128

    def rows(self) -> Rows:
        """Return noise."""
        return self._draw(self.generator(0))

    def fresh(self) -> dict[str, Rows]:
        """Return as much fresh noise: there is no truth to be learned."""
        return {"val": self._draw(self.generator(1))}

    def _draw(self, generator: Generator) -> Rows:
        """Draw rows."""
        table = torch.randn(self.points, len(self.inputs) + len(self.targets), generator=generator, dtype=torch.float64)
        return Rows(table[:, : len(self.inputs)], table[:, len(self.inputs) :])
