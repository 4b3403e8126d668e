"""Arrays from Python, in a NumPy file."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from zipfile import BadZipFile

import numpy as np
import torch
from torch import Tensor

from fit.data.dataset import DataSet, Rows
from fit.errors import FitError


@dataclass(frozen=True, kw_only=True)
class Arrays(DataSet):
    """`inputs` `[rows, inputs]` and `targets` `[rows, targets]` of the .npz file `path`.

    The file may name them, as `input_names` and `target_names`, and hold `val_inputs` and `val_targets`.
    """

    path: str
    val_fraction: float = 0.2

    @cached_property
    def arrays(self) -> Mapping[str, np.ndarray]:
        """The arrays of the file; raise FitError where it is none of that kind. Nothing in it is ever run."""
        try:
            with np.load(self.path, allow_pickle=False) as file:
                arrays = {key: file[key] for key in file.files}
            shapes = [arrays[key].ndim for key in ("inputs", "targets")]
        except (OSError, ValueError, KeyError, EOFError, BadZipFile, AttributeError, TypeError):
            raise FitError(f"data.path={self.path} is not an .npz file that holds inputs and targets.") from None
        if shapes != [2, 2] or len(arrays["inputs"]) != len(arrays["targets"]):
            raise FitError(f"data.path={self.path} holds inputs and targets that are no [rows, columns] of equal rows.")
        return arrays

    @property
    def input_names(self) -> tuple[str, ...]:
        """The names in the file, or x1, x2, …."""
        return self._names("input_names", "x", self.arrays["inputs"].shape[1])

    @property
    def target_names(self) -> tuple[str, ...]:
        """The names in the file, or y1, y2, …."""
        return self._names("target_names", "y", self.arrays["targets"].shape[1])

    @property
    def notes(self) -> tuple[str, ...]:
        """Inputs that are constant."""
        return self.constant_inputs()

    def rows(self) -> Rows:
        """Return the rows to train on, before any are held out."""
        return Rows(self._tensor("inputs"), self._tensor("targets"))

    def fresh(self) -> dict[str, Rows]:
        """Return the validation rows of the file, if it has any; raise FitError where nothing is to be judged on."""
        if "val_inputs" in self.arrays:
            return {"val": Rows(self._tensor("val_inputs"), self._tensor("val_targets"))}
        if self.val_fraction == 0 and self.folds is None:
            raise FitError("data.val_fraction=0 leaves no rows to be judged on: give more, or val_inputs in the file.")
        return {}

    def split(self) -> tuple[Rows, dict[str, Rows]]:
        """Judge on the validation rows of the file, if it has any; else hold rows out as other data sets do."""
        if "val_inputs" in self.arrays and self.folds is None:
            return self.rows(), self.fresh()
        return super().split()

    def drawn(self) -> Rows:
        """Return the rows that are judged on, in the order of the first input."""
        rows = self.split()[1]["val"]
        return rows.take(rows.inputs[:, 0].argsort())

    def _names(self, key: str, letter: str, count: int) -> tuple[str, ...]:
        """Return the names of columns."""
        if key in self.arrays:
            return tuple(map(str, self.arrays[key]))
        return (letter,) if count == 1 else tuple(f"{letter}{number}" for number in range(1, count + 1))

    def _tensor(self, key: str) -> Tensor:
        """Return an array in double precision."""
        return torch.from_numpy(self.arrays[key].astype(np.float64))
