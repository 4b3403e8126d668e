"""Dropout: the factors of a layer's values, from one generator for each seed."""

from collections.abc import Sequence

import torch
from torch import Generator, Tensor

from fit.data.batches import places


class Masks:
    """Dropout factors that depend on a member's seed alone; they are those of `nn.Dropout` under that seed."""

    def __init__(self, seeds: Sequence[int], dropout: float) -> None:
        """Take the members' seeds and the probability of a value being dropped."""
        self.kept = 1 - dropout
        self.generators = {seed: Generator().manual_seed(seed) for seed in dict.fromkeys(seeds)}
        self._generator_of_member = places(seeds)

    def keep(self, seeds: Sequence[int]) -> None:
        """Forget all members but those of these seeds."""
        self.generators = {seed: self.generators[seed] for seed in dict.fromkeys(seeds)}
        self._generator_of_member = places(seeds)

    def draw(self, values: Tensor) -> Tensor:
        """Draw factors for a layer's values `[members, rows, columns]`."""
        drawn = [
            torch.empty(values.shape[1:], dtype=values.dtype).bernoulli_(self.kept, generator=each)
            for each in self.generators.values()
        ]
        return (torch.stack(drawn)[self._generator_of_member] / self.kept).to(values.device)
