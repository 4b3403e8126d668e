"""Data from the user's own Python function."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from fit.data.datasets.function import FunctionData
from fit.errors import FitError
from fit.settings.build import import_named


@dataclass(frozen=True, kw_only=True)
class Custom(FunctionData):
    """The importable `function`, from a tensor `[rows, inputs]` to `[rows, targets]`; `targets` names its columns."""

    function: str
    targets: Sequence[str] | None = None

    @cached_property
    def imported(self) -> Callable[[Tensor], object]:
        """The function itself; raise FitError if there is none of that name."""
        allowed = "give MODULE.FUNCTION, the module in this folder or installed"
        found = import_named("data.function", self.function, allowed)
        if not callable(found):
            raise FitError(f"data.function={self.function} is not a function but a {type(found).__name__}.")
        function: Callable[[Tensor], object] = found
        return function

    @cached_property
    def target_names(self) -> tuple[str, ...]:
        """The names given, or y, or y1, y2, …; raise FitError for one that is also an input."""
        names, given = self.targets, ""
        if names is None:
            middle = torch.full((2, len(self.domain)), 0.5, dtype=torch.float64)
            count = self._values(self.scale_to_domain(middle)).shape[1]
            names = ("y",) if count == 1 else tuple(f"y{number}" for number in range(1, count + 1))
            given = f" ({', '.join(names)} where none is given)"
        both = next((name for name in map(str, names) if name in self.domain), None)
        if both is not None:
            raise FitError(f"{both} is among data.domain and data.targets{given}: it can only be one of them.")
        return tuple(map(str, names))

    def evaluate(self, inputs: Tensor) -> Tensor:
        """Call the function; raise FitError if it fails, or returns another shape than `[rows, targets]`."""
        values = self._values(inputs)
        if self.targets is not None and values.shape[1] != len(self.targets):
            raise FitError(
                f"{self.formula(0)} returns {values.shape[1]} columns, and data.targets names {len(self.targets)}."
            )
        return values

    def formula(self, column: int) -> str:
        """Return the setting that names the function."""
        return f"data.function={self.function}"

    def _values(self, inputs: Tensor) -> Tensor:
        """Call the function on a copy of the inputs; return `[rows, targets]`, float64."""
        what = self.formula(0)
        try:
            values = torch.as_tensor(self.imported(inputs.clone()), dtype=torch.float64).detach().cpu()
        except FitError:
            raise
        except (Exception, SystemExit) as error:  # whatever the user's code may raise
            raise FitError(f"{what} failed: {type(error).__name__}: {error}.") from None
        values = values.unsqueeze(1) if values.dim() == 1 else values
        if values.dim() != 2 or len(values) != len(inputs):
            raise FitError(f"{what} returns {list(values.shape)} for {len(inputs)} rows: give [rows, targets].")
        return values
