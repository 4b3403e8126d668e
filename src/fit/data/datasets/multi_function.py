"""Three functions of one number at once (article A4)."""

from dataclasses import dataclass

import torch
from torch import Tensor

from fit.data.dataset import DataSet, Rows, uniform


@dataclass(frozen=True, kw_only=True)
class MultiFunction(DataSet):
    """x·eˣ, eˣ and x² at even points of `[low, high]`; `shift` is subtracted from the first."""

    input_names = ("x",)
    target_names = ("x·eˣ", "eˣ", "x²")

    points: int = 100
    low: float = 0.1
    high: float = 2.1
    shift: float = 0.0

    def rows(self) -> Rows:
        """Return the even points."""
        return self._evaluate(torch.linspace(self.low, self.high, self.points, dtype=torch.float64).unsqueeze(1))

    def fresh(self) -> dict[str, Rows]:
        """Return random points of the same range."""
        return {"val": self._evaluate(uniform(self.low, self.high, 200, 1, self.generator(1)).sort(0).values)}

    def _evaluate(self, x: Tensor) -> Rows:
        """Return x `[rows, 1]` with the three functions."""
        return Rows(x, torch.cat([x * x.exp() - self.shift, x.exp(), x.square()], 1))
