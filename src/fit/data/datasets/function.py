"""Data sampled from a function on a box: how the points are chosen."""

import math
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from fit.data.dataset import DataSet, Rows
from fit.errors import FitError

# The fewest fresh rows, the lines of a map over two inputs, and the points of a curve over one.
LEAST_FRESH_ROWS, MAP_LINES, CURVE_POINTS = 1024, 61, 400
# The most rows of a grid over data.points, as it has at least two lines along each input.
MOST_GRID_RATIO = 4


@dataclass(frozen=True, kw_only=True)
class FunctionData(DataSet):
    """A function's values at points of a box, `domain[input] = [low, high]` or `[low, high, log]`.

    `sampling` is uniform, sobol, grid or chebyshev; `noise` is the standard deviation of the Gaussian noise added to
    the training targets, in their own units.
    """

    domain: Mapping[str, Sequence[float | str]]
    points: int = 1024
    sampling: str = "uniform"
    noise: float = 0.0

    @abstractmethod
    def evaluate(self, inputs: Tensor) -> Tensor:
        """Return the function's values `[rows, targets]` at inputs `[rows, inputs]`, both float64."""

    @abstractmethod
    def formula(self, column: int) -> str:
        """Return the setting that defines a target column, as KEY=VALUE."""

    @property
    def input_names(self) -> tuple[str, ...]:
        """The inputs of the domain."""
        return tuple(self.domain)

    @property
    def logarithmic(self) -> tuple[str, ...]:
        """The inputs whose range is logarithmic."""
        return tuple(name for name, each in self.domain.items() if len(each) == 3)

    @property
    def notes(self) -> tuple[str, ...]:
        """A note if a grid has another number of rows than data.points."""
        rows = len(self.sample_unit_cube())
        note = f"data.points={self.points} is not a grid of {len(self.domain)} inputs: there are {rows} rows."
        return () if rows == self.points else (note,)

    def rows(self) -> Rows:
        """Return the training points, with noise."""
        inputs, targets = self._finite(self.sample_unit_cube())
        noise = torch.randn(targets.shape, generator=self.generator(3), dtype=torch.float64)
        return Rows(inputs, targets + self.noise * noise)

    def fresh(self) -> dict[str, Rows]:
        """Return fresh uniform points of the domain, without noise."""
        count = max(self.points, LEAST_FRESH_ROWS)
        points = torch.rand(count, len(self.domain), generator=self.generator(1), dtype=torch.float64)
        return {"val": self._finite(points)}

    def drawn(self) -> Rows:
        """Return even points along one input, a grid over two, else the validation rows; at a pole a target is NaN."""
        if len(self.domain) > 2:
            return super().drawn()
        count = {1: CURVE_POINTS, 2: MAP_LINES}[len(self.domain)]
        # Inside the domain, as a formula may have a pole at its end.
        line = (torch.arange(count, dtype=torch.float64) + 0.5) / count
        inputs = self.scale_to_domain(grid_points(line, len(self.domain)))
        targets = self.evaluate(inputs)
        return Rows(inputs, targets.where(targets.isfinite(), torch.nan))

    def sample_unit_cube(self) -> Tensor:
        """Return training points in the unit cube `[rows, inputs]`."""
        inputs = len(self.domain)
        if self.sampling == "uniform":
            return torch.rand(self.points, inputs, generator=self.generator(0), dtype=torch.float64)
        if self.sampling == "sobol":
            engine = torch.quasirandom.SobolEngine(inputs, scramble=True, seed=8 * self.seed)  # type: ignore[no-untyped-call]
            return engine.draw(self.points, dtype=torch.float64)
        lines = max(2, round(self.points ** (1 / inputs)))
        if lines**inputs > MOST_GRID_RATIO * self.points:
            raise FitError(
                f"data.sampling={self.sampling} gives {lines}^{inputs} rows for data.points={self.points}: "
                "give sobol or uniform if there are many inputs."
            )
        if self.sampling == "grid":
            return grid_points(torch.linspace(0, 1, lines, dtype=torch.float64), inputs)
        # The zeros of the Chebyshev polynomial of that degree (Trefethen, Approximation Theory, 2013).
        angles = (torch.arange(lines, dtype=torch.float64) + 0.5) * math.pi / lines
        return grid_points(0.5 - 0.5 * angles.cos(), inputs)

    def scale_to_domain(self, points: Tensor) -> Tensor:
        """Scale points of the unit cube to the domain, both `[rows, inputs]`."""
        columns = []
        for column, (low, high, *log) in zip(points.unbind(1), self.domain.values(), strict=True):
            start, stop = (math.log(float(end)) if log else float(end) for end in (low, high))
            even = start + (stop - start) * column
            # Rounding may exceed the ends.
            columns.append((even.exp() if log else even).clamp(float(low), float(high)))
        return torch.stack(columns, 1)

    def _finite(self, points: Tensor) -> Rows:
        """Evaluate at points of the unit cube; raise FitError that names the first at which a target is not finite."""
        inputs = self.scale_to_domain(points)
        targets = self.evaluate(inputs)
        for column, values in enumerate(targets.unbind(1)):
            lost = ~values.isfinite()
            if lost.any():
                row = inputs[int(lost.int().argmax())].tolist()
                where = ", ".join(f"{name}={value:.6g}" for name, value in zip(self.input_names, row, strict=True))
                raise FitError(
                    f"{self.formula(column)} is not finite for {int(lost.sum())} of {len(values)} rows, the first at "
                    f"{where}: give a data.domain in which it is."
                )
        return Rows(inputs, targets)


def grid_points(line: Tensor, inputs: int) -> Tensor:
    """Return the points of a grid with the same lines `[lines]` along each input, `[lines^inputs, inputs]`."""
    return torch.cartesian_prod(*[line] * inputs).reshape(-1, inputs)
