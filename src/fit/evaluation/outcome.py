"""How one run ended."""

from collections.abc import Callable
from typing import NamedTuple

from torch import Tensor

from fit.evaluation.affine import Affine


class Outcome(NamedTuple):
    """What training hands over to the report.

    `predict` maps inputs `[rows, inputs]` to `[rows, targets]`, both in own units; `affine` is the network as the
    affine function that it is, if it is one.
    """

    numbers: dict[str, object]
    predict: Callable[[Tensor], Tensor]
    affine: Affine | None
