"""Data from the user's own formulas: any number of named inputs and targets."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from fit.data.datasets.formula import Formula
from fit.data.datasets.function import FunctionData
from fit.errors import FitError


@dataclass(frozen=True, kw_only=True)
class Expression(FunctionData):
    """Targets by name, each a formula of the inputs that `domain` names."""

    targets: Mapping[str, str]

    def __post_init__(self) -> None:
        """Raise FitError for a name that is both an input and a target."""
        both = next((name for name in self.targets if name in self.domain), None)
        if both is not None:
            raise FitError(f"{both} is among data.domain and data.targets: it can only be one of them.")

    @property
    def target_names(self) -> tuple[str, ...]:
        """The names of the targets."""
        return tuple(self.targets)

    def evaluate(self, inputs: Tensor) -> Tensor:
        """Compute every formula; raise FitError for one that is not allowed."""
        columns = dict(zip(self.input_names, inputs.unbind(1), strict=True))
        return torch.stack([Formula.parse(str(text), self.input_names)(columns) for text in self.targets.values()], 1)

    def formula(self, column: int) -> str:
        """Return the setting of a target's formula."""
        name = self.target_names[column]
        return f"data.targets.{name}={self.targets[name]}"
