"""Pure noise: targets that are independent of the inputs (article A2)."""

from dataclasses import dataclass

import torch
from torch import Generator, nn

from fit.data.dataset import DataSet, Rows


@dataclass(frozen=True, kw_only=True)
class RandomLinear(DataSet):
    """Rows of 20 standard-normal inputs and 60 standard-normal targets."""

    input_names = tuple(f"x{column}" for column in range(1, 21))
    target_names = tuple(f"y{column}" for column in range(1, 61))

    points: int = 128

    def rows(self) -> Rows:
        """Return the numbers that the article's script draws with this seed, after it has initialized its layer."""
        generator = Generator().manual_seed(self.seed)
        for drawn_before in (
            torch.empty(len(self.target_names), len(self.input_names)),
            torch.empty(len(self.target_names)),
        ):
            nn.init.uniform_(drawn_before, generator=generator)
        return self._draw(generator)

    def fresh(self) -> dict[str, Rows]:
        """Return as many rows of fresh noise: there is nothing to learn."""
        return {"val": self._draw(self.generator(1))}

    def _draw(self, generator: Generator) -> Rows:
        """Draw rows."""
        inputs = torch.randn(self.points, len(self.input_names), generator=generator)
        targets = torch.randn(self.points, len(self.target_names), generator=generator)
        return Rows(inputs.double(), targets.double())
