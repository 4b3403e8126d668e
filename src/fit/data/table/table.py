"""Data from the user's own table: CSV, TSV or Parquet."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import torch
from torch import Tensor

from fit.data.dataset import DataSet, Rows
from fit.data.table.columns import Columns
from fit.errors import FitError
from fit.messages import nearest, plural

if TYPE_CHECKING:  # pyarrow is an extra
    from fit.data.table.rows import TableRows

# Single precision is exact for whole numbers up to this one.
LARGEST_EXACT = 2**24
# Points of the fitted curve in a figure.
CURVE_POINTS = 500


@dataclass(frozen=True, kw_only=True)
class Table(DataSet):
    """Columns of a file; validation rows are random ones, whole groups, or those of a second file."""

    knows_truth: ClassVar[bool] = False

    path: str
    targets: Sequence[str]
    inputs: Sequence[str] | None = None
    categorical: Sequence[str] = ()
    val_path: str | None = None
    group: str | None = None
    val_groups: Sequence[str] | None = None
    val_fraction: float = 0.2
    missing: str = "refuse"
    separator: str = "auto"
    header: bool | str = "auto"
    decimal: str = "auto"
    encoding: str = "utf-8"

    def __post_init__(self) -> None:
        """Raise FitError for settings that exclude each other."""
        if self.val_groups is not None and self.group is None:
            raise FitError("data.val_groups needs data.group: the column that names the groups.")
        if self.val_path is not None and self.group is not None:
            raise FitError("data.val_path and data.group are both given: rows are held out by one of them.")
        if self.folds is not None and (self.val_path is not None or self.val_groups is not None):
            raise FitError("cv holds out all rows in turn: leave out data.val_path and data.val_groups, or cv.")
        if self.val_fraction == 0 and self.val_path is None and self.val_groups is None and self.folds is None:
            raise FitError(
                "data.val_fraction=0 leaves no rows to judge the fit on: give a fraction above 0, or data.val_path."
            )

    @cached_property
    def columns(self) -> Columns:
        """The columns that the settings name."""
        return Columns.of(vars(self))

    @property
    def input_names(self) -> tuple[str, ...]:
        """The numeric input columns, and `COLUMN=WORD` for every word of the others."""
        words = self.categories
        return tuple(
            name
            for column in self.columns.inputs
            for name in ([f"{column}={word}" for word in words[column]] if column in words else [column])
        )

    @property
    def target_names(self) -> tuple[str, ...]:
        """The columns of the targets."""
        return tuple(self.columns.targets)

    @cached_property
    def categories(self) -> Mapping[str, tuple[str, ...]]:
        """The words of each text column, sorted."""
        words = self.columns.rows.words
        return {column: tuple(sorted(set(words[column].tolist()))) for column in self.columns.categorical}

    @property
    def dates(self) -> tuple[str, ...]:
        """The inputs that are dates in the file."""
        return self.columns.rows.dates

    def axis(self, name: str) -> str:
        """Return the name, with the unit if it is a date."""
        return f"{name} (years)" if name in self.dates else name

    @property
    def source(self) -> str:
        """The name of the file."""
        return Path(self.path).name

    @property
    def val_rows(self) -> str:
        """How the validation rows were chosen."""
        if self.val_path is not None:
            return f"rows of {Path(self.val_path).name}"
        return (
            f"held-out rows, {plural(len(self._held_out), 'group')} of {self.group}" if self.group else "held-out rows"
        )

    @property
    def notes(self) -> tuple[str, ...]:
        """Notes on how columns were read, constants, rows left out, and numbers too large for single precision."""
        columns = self.columns
        notes = [*columns.notes, *self.constant_inputs()]
        for title, loaded in ((self.path, columns.rows), (self.val_path, self._validation)):
            if loaded is not None and loaded.left_out:
                notes.append(f"{plural(loaded.left_out, 'row')} of {title} with missing values left out.")
        for name, column in zip(columns.numeric, columns.rows.numbers.T, strict=True):
            # Scaling is done in double precision, before the network sees anything.
            scaling = self.scale_targets if name in columns.targets else self.scale_inputs
            centered = scaling in ("standardize", "minmax")
            size = np.ptp(column) if centered else np.abs(column).max()
            if size > LARGEST_EXACT and (column == np.round(column)).all():
                notes.append(
                    f"The whole numbers of {name} {'span' if centered else 'reach'} {size:.6g}: "
                    "trainer.precision=32-true cannot tell neighbours apart, trainer.precision=64-true can."
                )
        return tuple(notes)

    def rows(self) -> Rows:
        """Return the rows of the file, without held-out groups."""
        rows = self._rows(self.columns.rows, self.path)
        return rows if self.group is None else rows.take(~self._is_held_out)

    def fresh(self) -> dict[str, Rows]:
        """Return the rows of the second file or of the held-out groups, if there are any."""
        if self._validation is not None and self.val_path is not None:
            return {"val": self._rows(self._validation, self.val_path)}
        if self.group is not None:
            return {"val": self._rows(self.columns.rows, self.path).take(self._is_held_out)}
        return {}

    def split(self) -> tuple[Rows, dict[str, Rows]]:
        """Return the training rows and the validation rows."""
        if self.val_path is None and self.group is None:
            return super().split()
        return self.rows(), self.fresh()

    def drawn(self) -> Rows:
        """Return the validation rows; if a single input varies, also even points along it, without targets."""
        train, fresh = self.split()
        rows = fresh["val"]
        low, high = train.inputs.amin(0), train.inputs.amax(0)
        varying = (low < high).nonzero().flatten().tolist()
        if len(varying) != 1:
            return rows
        line = low.repeat(CURVE_POINTS, 1)
        start, stop = (float(end[varying[0]]) for end in (low, high))
        line[:, varying[0]] = torch.linspace(start, stop, CURVE_POINTS, dtype=low.dtype)
        no_targets = rows.targets.new_full((CURVE_POINTS, rows.targets.shape[1]), torch.nan)
        together = Rows(torch.cat([rows.inputs, line]), torch.cat([rows.targets, no_targets]))
        return together.take(together.inputs[:, varying[0]].argsort())

    @cached_property
    def _validation(self) -> "TableRows | None":
        """The second file, if there is one."""
        return None if self.val_path is None else self.columns.read_validation(self.val_path)

    def _rows(self, loaded: "TableRows", path: str) -> Rows:
        """Arrange the columns, words as 0 and 1; raise FitError for a word that the training file lacks."""
        numbers = dict(zip(self.columns.numeric, loaded.numbers.T, strict=True))
        columns = []
        for column in self.columns.inputs:
            if column not in self.categories:
                columns.append(numbers[column])
                continue
            known, found = self.categories[column], loaded.words[column]
            if unknown := sorted(set(found.tolist()) - set(known)):
                raise FitError(
                    f"{path}: {column} is {unknown[0]!r}, which {self.path} does not have{nearest(unknown[0], known)}."
                )
            columns += [(found == word).astype(np.float64) for word in known]
        targets = [numbers[column] for column in self.columns.targets]
        return Rows(torch.from_numpy(np.stack(columns, 1)), torch.from_numpy(np.stack(targets, 1)))

    @cached_property
    def _held_out(self) -> list[str]:
        """The held-out groups: those of data.val_groups, or random ones."""
        groups = sorted(set(self._groups.tolist()))
        if self.val_groups is not None:
            chosen = []
            for name in map(str, self.val_groups):
                matches = [group for group in groups if group == name or same_number(group, name)]
                if not matches:
                    raise FitError(
                        f"data.val_groups={name} is not in column {self.group} of {self.path}{nearest(name, groups)}."
                    )
                chosen += [group for group in matches if group not in chosen]
        else:
            order = torch.randperm(len(groups), generator=self.generator(2))
            count = max(1, round(self.val_fraction * len(groups)))
            if self.folds is not None and self.folds > len(groups):
                there = f"there are {plural(len(groups), 'group')} of {self.group}"
                raise FitError(f"cv={self.folds} is not allowed: {there}, give fewer folds.")
            part = order[:count] if self.folds is None else order.tensor_split(self.folds)[self.fold]
            chosen = [groups[index] for index in part]
        if len(chosen) == len(groups):
            raise FitError(f"{self.path} has {plural(len(groups), 'group')} of {self.group}: none is left to train on.")
        return chosen

    @cached_property
    def _is_held_out(self) -> Tensor:
        """Which rows `[rows]` are in a held-out group."""
        held_out = set(self._held_out)
        return torch.tensor([group in held_out for group in self._groups])

    @property
    def _groups(self) -> np.ndarray:
        """The group `[rows]` of each row."""
        return self.columns.rows.words[str(self.group)]


def same_number(one: str, other: str) -> bool:
    """Whether two texts are the same number, such as 8 and 8.0."""
    with suppress(ValueError):
        return float(one) == float(other)
    return False
