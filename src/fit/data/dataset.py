"""What a data set is: rows to train on, fresh rows to be judged on, and how both are presented to the network."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import ClassVar, NamedTuple

import numpy as np
import torch
from torch import Generator, Tensor

from fit.errors import FitError

# How many columns of a kind are named.
MOST_NAMED = 6


class Rows(NamedTuple):
    """Inputs `[rows, inputs]` and targets `[rows, targets]` in their own units, float64."""

    inputs: Tensor
    targets: Tensor

    def take(self, index: Tensor) -> "Rows":
        """Select rows."""
        return Rows(self.inputs[index], self.targets[index])


@dataclass(frozen=True, kw_only=True)
class DataSet(ABC):
    """A data set and the settings that all of them share; equal settings give equal rows.

    `batch_size` None is the full batch. `seed` draws the points, the noise and the split. Of `folds` parts, whose
    sizes differ by a row at most, the one numbered `fold` is held out.
    """

    axes: ClassVar[Mapping[str, str]] = {}
    # Whether the rows that are drawn are those of the true function.
    knows_truth: ClassVar[bool] = True

    batch_size: int | None = None
    val_fraction: float = 0.0
    scale_inputs: str | float = "standardize"
    scale_targets: str | float = "standardize"
    seed: int = 0
    folds: int | None = None
    fold: int = 0

    @property
    @abstractmethod
    def input_names(self) -> tuple[str, ...]:
        """What the columns of the inputs are called."""

    @property
    @abstractmethod
    def target_names(self) -> tuple[str, ...]:
        """What the columns of the targets are called."""

    @property
    def categories(self) -> Mapping[str, tuple[str, ...]]:
        """The words of each text column, which is one input `COLUMN=WORD` of 0 and 1 for each of its words."""
        return {}

    @property
    def dates(self) -> tuple[str, ...]:
        """The inputs that are dates where they are from, and years as numbers."""
        return ()

    @property
    def logarithmic(self) -> tuple[str, ...]:
        """The inputs that are drawn on a logarithmic axis."""
        return ()

    @property
    def source(self) -> str:
        """Where the rows are from, if that is to be said."""
        return ""

    @property
    def val_rows(self) -> str:
        """What rows those of `val` are."""
        return "held-out rows" if self.val_fraction > 0 else "fresh rows"

    @property
    def covering(self) -> Mapping[str, object]:
        """The settings that train on rows of all regions judged on, where this data set does not."""
        return {}

    @property
    def notes(self) -> tuple[str, ...]:
        """What a person has to know of these data before they are trained on, a sentence each."""
        return ()

    @abstractmethod
    def rows(self) -> Rows:
        """Return the rows that there are to train on."""

    @abstractmethod
    def fresh(self) -> Mapping[str, Rows]:
        """Return rows that were not trained on, region by region; the first is `val`."""

    def axis(self, name: str) -> str:
        """Return what an axis that shows the column `name` is called."""
        return self.axes.get(name, name)

    def drawn(self) -> Rows:
        """Return the rows that the figure draws: those judged on unless a data set has better ones."""
        return self.split()[1]["val"]

    def split(self) -> tuple[Rows, dict[str, Rows]]:
        """Return the training rows and the validation rows by name: held out where asked, else fresh."""
        rows, fresh = self.rows(), dict(self.fresh())
        if self.folds is not None:
            parts = torch.randperm(len(rows.inputs), generator=self.generator(2)).tensor_split(self.folds)
            if len(parts[-1]) < 1 or len(rows.inputs) - len(parts[0]) < 2:
                raise FitError(f"cv={self.folds} is not allowed: there are {len(rows.inputs)} rows, give fewer folds.")
            held_out = torch.zeros(len(rows.inputs), dtype=torch.bool)
            held_out[parts[self.fold]] = True
            return rows.take((~held_out).nonzero()[:, 0]), fresh | {"val": rows.take(held_out.nonzero()[:, 0])}
        if self.val_fraction > 0:
            count = max(1, round(self.val_fraction * len(rows.inputs)))
            if len(rows.inputs) - count < 2:
                raise FitError(
                    f"data.val_fraction={self.val_fraction} leaves fewer than 2 of {len(rows.inputs)} rows "
                    "to train on: give a lower one."
                )
            order = torch.randperm(len(rows.inputs), generator=self.generator(2))
            fresh = fresh | {"val": rows.take(order[:count])}
            rows = rows.take(order[count:].sort().values)
        return rows, fresh

    def constant_inputs(self) -> tuple[str, ...]:
        """Return a note on the inputs that are the same in every row trained on, if there are any."""
        inputs = self.split()[0].inputs
        fixed = (inputs.amin(0) == inputs.amax(0)).nonzero().flatten().tolist()
        named = [f"{self.input_names[column]}={float(inputs[0, column]):.6g}" for column in fixed]
        listed = ", ".join(named[:MOST_NAMED]) + (f", … ({len(named)} inputs)" if len(named) > MOST_NAMED else "")
        return (f"Constant in the training rows, so that nothing can be learned from it: {listed}.",) if named else ()

    def generator(self, stream: int) -> Generator:
        """Return the random numbers of one purpose: 0 points, 1 fresh points, 2 split, 3 noise, 4 more fresh points."""
        return Generator().manual_seed(8 * self.seed + stream)


def read_columns(name: str) -> Tensor:
    """Read one of the tables that ship with the package `[rows, columns]`."""
    text = files("fit.data").joinpath(name).read_text(encoding="utf-8")
    return torch.from_numpy(np.loadtxt(text.splitlines(), delimiter=",", skiprows=1))


def uniform(low: float, high: float, rows: int, columns: int, generator: Generator) -> Tensor:
    """Draw points `[rows, columns]` uniformly from a box."""
    return torch.empty(rows, columns, dtype=torch.float64).uniform_(low, high, generator=generator)


def square_grid(low: float, high: float, lines: int = 61) -> Tensor:
    """Return the crossings of a square grid `[lines², 2]`."""
    line = torch.linspace(low, high, lines, dtype=torch.float64)
    return torch.cartesian_prod(line, line)
