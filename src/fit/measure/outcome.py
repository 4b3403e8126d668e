"""How one run ended."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from torch import Tensor

from fit.measure.affine import Affine


class Outcome(NamedTuple):
    """What training hands over to the report.

    `predictions[region]` is `[rows, targets]` and `predict` maps inputs `[rows, inputs]` to `[rows, targets]`, all in
    own units; `affine` is the network as the affine function that it is, if it is one.
    """

    numbers: dict[str, object]
    predictions: Mapping[str, Tensor]
    predict: Callable[[Tensor], Tensor]
    affine: Affine | None
