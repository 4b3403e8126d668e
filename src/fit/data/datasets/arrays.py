"""Arrays of a NumPy file, such as those given from Python."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import BinaryIO

import numpy as np
import torch
from torch import Tensor

from fit.data.dataset import DataSet, Rows
from fit.errors import FitError


@dataclass(frozen=True, kw_only=True)
class Arrays(DataSet):
    """`inputs` `[rows, inputs]` and `targets` `[rows, targets]` of the .npz file `path`.

    The file may also hold names, `input_names` and `target_names`, and validation rows, `val_inputs` and `val_targets`.
    """

    knows_truth = False

    path: str
    val_fraction: float = 0.2

    @cached_property
    def arrays(self) -> Mapping[str, np.ndarray]:
        """The arrays of the file; raise FitError if it is invalid. No code in it is ever run."""
        try:
            with Path(self.path).open("rb") as file:
                arrays = read_arrays(file)
        except OSError as error:
            raise FitError(f"data.path={self.path} cannot be read: {error.strerror}.") from None
        if not {"inputs", "targets"} <= set(arrays):
            raise FitError(f"data.path={self.path} is not an .npz file that holds inputs and targets.")
        check_arrays(arrays, f"data.path={self.path}")
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
        """A note on constant inputs."""
        return self.constant_inputs()

    def rows(self) -> Rows:
        """Return the rows of the file, before any are held out."""
        return Rows(self._tensor("inputs"), self._tensor("targets"))

    def fresh(self) -> dict[str, Rows]:
        """Return the validation rows of the file, if any; raise FitError if no rows would be left to judge on."""
        if "val_inputs" in self.arrays:
            return {"val": Rows(self._tensor("val_inputs"), self._tensor("val_targets"))}
        if self.val_fraction == 0 and self.folds is None:
            raise FitError(
                "data.val_fraction=0 leaves no rows to judge the fit on: "
                "give a fraction above 0, or val_inputs in the file."
            )
        return {}

    def split(self) -> tuple[Rows, dict[str, Rows]]:
        """Return all rows and the validation rows of the file, if it has any; else hold rows out."""
        if "val_inputs" in self.arrays and self.folds is None:
            return self.rows(), self.fresh()
        return super().split()

    def drawn(self) -> Rows:
        """Return the validation rows, sorted by the first input."""
        rows = self.split()[1]["val"]
        return rows.take(rows.inputs[:, 0].argsort())

    def _names(self, key: str, letter: str, count: int) -> tuple[str, ...]:
        """Return the names in the file, or numbered ones."""
        if key in self.arrays:
            return tuple(map(str, self.arrays[key]))
        return (letter,) if count == 1 else tuple(f"{letter}{number}" for number in range(1, count + 1))

    def _tensor(self, key: str) -> Tensor:
        """Return an array as a float64 tensor."""
        return torch.from_numpy(self.arrays[key].astype(np.float64))


def read_arrays(file: BinaryIO) -> dict[str, np.ndarray]:
    """Read all arrays of an .npz file; return none for another kind of file."""
    try:
        with np.load(file, allow_pickle=False) as archive:
            return {key: archive[key] for key in archive.files}
    except MemoryError:
        raise
    except Exception:  # whatever NumPy, zip and zlib raise for another kind of file
        return {}


def check_arrays(arrays: Mapping[str, np.ndarray], title: str) -> None:
    """Raise FitError for arrays that are not rows of numbers, or do not match; `title` names the file."""
    for names in (("inputs", "targets"), ("val_inputs", "val_targets")):
        if not set(names) & set(arrays):
            continue
        for name, first in zip(names, ("inputs", "targets"), strict=True):
            if name not in arrays:
                raise FitError(f"{title} holds no {name}: give val_inputs and val_targets, or neither.")
            array = arrays[name]
            if array.dtype.kind not in "fiub":
                raise FitError(f"{title}: {name} has the type {array.dtype}; give real numbers.")
            if array.ndim != 2 or 0 in array.shape:
                raise FitError(f"{title}: {name} is {list(array.shape)}; give [rows, columns], one or more of each.")
            if array.shape[1] != arrays[first].shape[1]:
                raise FitError(f"{title}: {name} is {list(array.shape)}; give [rows, {arrays[first].shape[1]}].")
        counts = [len(arrays[name]) for name in names]
        if len(set(counts)) > 1:
            message = f"{title} holds {counts[0]} rows of {names[0]} and {counts[1]} of {names[1]}"
            raise FitError(f"{message}; give equally many.")
    for name, of in (("input_names", "inputs"), ("target_names", "targets")):
        given, count = arrays.get(name), arrays[of].shape[1]
        if given is not None and (
            given.dtype.kind != "U" or given.shape != (count,) or len(set(given.tolist()) - {""}) != count
        ):
            raise FitError(
                f"{title}: {name} is {given.tolist()}; give a name for each of the {of} ({count}), all different."
            )
