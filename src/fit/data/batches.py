"""Batches of the training rows, shuffled anew for every pass."""

from collections.abc import Iterator, Sequence

import torch
from torch import Generator, Tensor


class Batches:
    """The training rows of a stack, in batches; each iteration is one pass over them.

    A member's order depends only on its seed, not on the other members. A full batch is not shuffled.
    """

    def __init__(self, inputs: Tensor, targets: Tensor, batch_size: int | None, seeds: Sequence[int]) -> None:
        """Keep scaled inputs and targets `[members or 1, rows, columns]` and the members' seeds."""
        self.inputs, self.targets = inputs, targets
        self.batch_size = min(batch_size or inputs.shape[1], inputs.shape[1])
        self.generators = {seed: Generator().manual_seed(seed) for seed in dict.fromkeys(seeds)}
        self._seeds = list(seeds)
        self.order_of_member = places(self._seeds)

    def keep(self, members: list[int]) -> None:
        """Drop all members but these."""
        self._seeds = [self._seeds[member] for member in members]
        self.generators = {seed: self.generators[seed] for seed in dict.fromkeys(self._seeds)}
        self.order_of_member = places(self._seeds)

    def __len__(self) -> int:
        """Return the number of batches in a pass; the last may be smaller."""
        return -(-self.inputs.shape[1] // self.batch_size)

    def draw_orders(self, passes: int) -> Tensor | None:
        """Shuffle for some passes: orders of rows `[passes, seeds, rows]`, by distinct seeds; None for full batches."""
        if len(self) == 1:
            return None
        rows = self.inputs.shape[1]
        orders = torch.empty(passes, len(self.generators), rows, dtype=torch.int64)
        for of_seed, generator in zip(orders.unbind(1), self.generators.values(), strict=True):
            for order in of_seed.unbind():
                torch.randperm(rows, generator=generator, out=order)
        return orders

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield inputs and targets `[members or 1, batch, columns]`."""
        drawn = self.draw_orders(1)
        if drawn is None:
            return iter([(self.inputs, self.targets)])
        orders = drawn[0]
        if len(orders) > 1:
            orders = orders[self.order_of_member]
        orders = orders.to(self.inputs.device)
        inputs, targets = (
            torch.split(take_rows(values, orders), self.batch_size, 1) for values in (self.inputs, self.targets)
        )
        return zip(inputs, targets, strict=True)


def places(seeds: Sequence[int]) -> Tensor:
    """Return the index of each member's seed among the distinct seeds `[members]`."""
    place = {seed: index for index, seed in enumerate(dict.fromkeys(seeds))}
    return torch.tensor([place[seed] for seed in seeds])


def take_rows(values: Tensor, orders: Tensor) -> Tensor:
    """Reorder the rows of `[members or 1, rows, columns]` by `[members or 1, rows]`."""
    if len(orders) == 1:
        return values[:, orders[0]]
    if len(values) == 1:
        return values[0][orders]
    return values[torch.arange(len(values), device=values.device)[:, None], orders]
