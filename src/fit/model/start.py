"""Start values: what the weights are before the first step."""

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise

import torch
from torch import Generator, Tensor, nn

# Each fills a weight `[outputs, inputs]` as torch's own layers and initializers do, with `gain` times their spread.
INITIALIZERS: dict[str, Callable[[Tensor, Generator], object]] = {
    "default": lambda weight, generator: nn.init.kaiming_uniform_(weight, a=5**0.5, generator=generator),
    "xavier_normal": lambda weight, generator: nn.init.xavier_normal_(weight, generator=generator),
    "xavier_uniform": lambda weight, generator: nn.init.xavier_uniform_(weight, generator=generator),
    "kaiming_normal": lambda weight, generator: nn.init.kaiming_normal_(
        weight, nonlinearity="relu", generator=generator
    ),
}


def start_values(
    sizes: Sequence[int],
    seed: int,
    *,
    init: str | Mapping[str, float] = "default",
    gain: float = 1.0,
    bias: bool = True,
) -> Tensor:
    """Draw one member's start values `[parameters]` in float32, layer by layer, weight before bias.

    With `init="default"` they are the numbers that `torch.manual_seed(seed)` followed by a row of `nn.Linear` gives.
    `init` may also hold the constants `weight` and `bias`. `gain` multiplies the weights.
    """
    generator = Generator().manual_seed(seed)
    parts = []
    for fan_in, fan_out in pairwise(sizes):
        weight = torch.empty(fan_out, fan_in)
        offset = torch.empty(fan_out)
        if isinstance(init, str):
            INITIALIZERS[init](weight, generator)
            offset.uniform_(-(fan_in**-0.5), fan_in**-0.5, generator=generator)
        else:
            weight.fill_(init["weight"])
            offset.fill_(init["bias"])
        parts.append((gain * weight).T.reshape(-1))
        if bias:
            parts.append(offset)
    return torch.cat(parts)
