"""The base class of data sets: rows to train on, rows to judge on, and how both are scaled."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import ClassVar, NamedTuple

import numpy as np
import torch
from torch import Generator, Tensor

from fit.errors import FitError
from fit.messages import shorten_list

# The most columns to name in a note.
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
    """A data set; equal settings give equal rows. All tensors are float64, `[rows, columns]`, in the data's own units.

    `batch_size` is the number of rows in each step, None for all. `val_fraction` is the fraction of the rows held out.
    `scale_inputs` and `scale_targets` are kinds of `Scaler.fit`. `seed` is that of the points, the noise and the split.
    With `folds`, the rows are split into that many parts of about equal size, and part number `fold` is held out.
    Methods raise FitError for settings or data that cannot be used.
    """

    axes: ClassVar[Mapping[str, str]] = {}
    # Whether the true function is known, so that errors are measured against it.
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
        """The names of the input columns."""

    @property
    @abstractmethod
    def target_names(self) -> tuple[str, ...]:
        """The names of the target columns."""

    @property
    def categories(self) -> Mapping[str, tuple[str, ...]]:
        """The words of each text column; each word is an input `COLUMN=WORD` of 0 and 1."""
        return {}

    @property
    def dates(self) -> tuple[str, ...]:
        """The inputs that are dates in the source; as numbers they are years."""
        return ()

    @property
    def logarithmic(self) -> tuple[str, ...]:
        """The inputs to draw on a logarithmic axis."""
        return ()

    @property
    def source(self) -> str:
        """The name of the file that the rows are from; empty if there is none."""
        return ""

    @property
    def val_rows(self) -> str:
        """The kind of rows in `val`, such as `held-out rows`."""
        return "held-out rows" if self.val_fraction > 0 else "fresh rows"

    @property
    def covering(self) -> Mapping[str, object]:
        """The settings with which training rows cover all validation regions; empty if they do already."""
        return {}

    @property
    def notes(self) -> tuple[str, ...]:
        """Notes on the data for the user, one sentence each."""
        return ()

    @abstractmethod
    def rows(self) -> Rows:
        """Return the rows to train on, before any are held out."""

    @abstractmethod
    def fresh(self) -> Mapping[str, Rows]:
        """Return the validation rows by region; the first region is `val`."""

    def axis(self, name: str) -> str:
        """Return the label of the axis of the column `name`."""
        return self.axes.get(name, name)

    def drawn(self) -> Rows:
        """Return the rows that the figure of the fit shows: those of `val`, unless overridden."""
        return self.split()[1]["val"]

    def split(self) -> tuple[Rows, dict[str, Rows]]:
        """Return the training rows, and the validation rows by region: held-out ones if any, else fresh ones."""
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
        """Return a note on the inputs that are constant in the training rows, if there are any."""
        inputs = self.split()[0].inputs
        fixed = (inputs.amin(0) == inputs.amax(0)).nonzero().flatten().tolist()
        named = [f"{self.input_names[column]}={float(inputs[0, column]):.6g}" for column in fixed]
        listed = shorten_list(named, MOST_NAMED, "inputs")
        return (f"Constant in the training rows, so that nothing can be learned from it: {listed}.",) if named else ()

    def generator(self, stream: int) -> Generator:
        """Return a random generator for 0 points, 1 fresh points, 2 the split, 3 noise, or 4 more fresh points."""
        return Generator().manual_seed(8 * self.seed + stream)


def read_columns(name: str) -> Tensor:
    """Read a table `[rows, columns]` that ships with the package."""
    text = files("fit.data").joinpath(name).read_text(encoding="utf-8")
    return torch.from_numpy(np.loadtxt(text.splitlines(), delimiter=",", skiprows=1))


def uniform(low: float, high: float, rows: int, columns: int, generator: Generator) -> Tensor:
    """Draw points `[rows, columns]` uniformly from a box."""
    return torch.empty(rows, columns, dtype=torch.float64).uniform_(low, high, generator=generator)


def square_grid(low: float, high: float, lines: int = 61) -> Tensor:
    """Return the points of a square grid `[lines², 2]`."""
    line = torch.linspace(low, high, lines, dtype=torch.float64)
    return torch.cartesian_prod(line, line)
