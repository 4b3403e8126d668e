"""The columns of a table that the settings name; nothing here needs torch."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from fit.data.table.dialect import YEARS, Dialect
from fit.errors import FitError
from fit.messages import plural, shorten_list

if TYPE_CHECKING:  # pyarrow is an extra
    from fit.data.table.file import TableFile
    from fit.data.table.rows import Reader, TableRows

# The name under which pandas writes an unnamed index.
INDEX = re.compile(r"__index_level_\d+__")


@dataclass(frozen=True, kw_only=True)
class Columns:
    """The columns of a file that are inputs (`chosen_inputs`, or None: all others), targets and groups."""

    path: str
    chosen_inputs: Sequence[str] | None
    targets: Sequence[str]
    categorical: Sequence[str]
    group: str | None
    missing: str
    dialect: Dialect

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> Self:
        """Create the columns from the settings of data=table."""
        given = settings.get("inputs")
        return cls(
            path=settings["path"],
            chosen_inputs=None if given is None else tuple(map(str, given)),
            targets=tuple(map(str, settings["targets"])),
            categorical=tuple(map(str, settings.get("categorical", ()))),
            group=None if settings.get("group") is None else str(settings["group"]),
            missing=settings.get("missing", "refuse"),
            dialect=Dialect(**{key: settings[key] for key in Dialect._fields if key in settings}),
        )

    @cached_property
    def inputs(self) -> tuple[str, ...]:
        """The input columns; raise FitError for one that cannot be an input."""
        inputs = self._rest() if self.chosen_inputs is None else tuple(self.chosen_inputs)
        both = next((name for name in inputs if name in self.targets), None)
        if both is not None:
            raise FitError(f"{both} is among data.inputs and data.targets: it can only be one of them.")
        if unknown := [name for name in self.categorical if name not in inputs]:
            raise FitError(f"data.categorical={unknown[0]} is not among data.inputs: only inputs can be words.")
        return inputs

    def _rest(self) -> tuple[str, ...]:
        """Return the columns that are neither targets nor groups; raise FitError if there are none."""
        self._file.check_columns(self.targets, "data.targets: ")
        rest = tuple(name for name in self._file.columns if name not in self.others and not INDEX.fullmatch(name))
        if not rest:
            raise FitError(f"{self.path} has no columns but {', '.join(self.others)}: none is left to be an input.")
        return rest

    @property
    def others(self) -> list[str]:
        """The columns that are inputs only if data.inputs names them."""
        return [*self.targets, *([self.group] if self.group else [])]

    @property
    def numeric(self) -> list[str]:
        """The numeric columns, inputs first."""
        return [column for column in (*self.inputs, *self.targets) if column not in self.categorical]

    @property
    def notes(self) -> list[str]:
        """Notes on how the columns were read, a sentence each, if that was not obvious."""
        notes, rows = [], self.rows
        if self.chosen_inputs is None:
            others, inputs = (shorten_list(names, noun="columns") for names in (self.others, self.inputs))
            notes.append(f"data.inputs=null: the inputs are all columns but {others}: {inputs}.")
        if rows.dates:
            notes.append(f"Dates are inputs in {YEARS} (in {shorten_list(rows.dates, noun='columns')}).")
        if rows.separated:
            example = "1.234,5" if self._file.dialect.decimal == "comma" else "1,234.5"
            named = shorten_list(rows.separated, noun="columns")
            notes.append(f"Thousands separators are left out: {example} is 1234.5 (in {named}).")
        return notes

    @cached_property
    def rows(self) -> "TableRows":
        """The rows of the file; raise FitError if nothing can be learned from them."""
        from fit.data.table.rows import load_rows

        loaded = load_rows(self._reader(self._file), self.missing)
        if len(loaded.numbers) < 2:
            raise FitError(f"{self.path} has only 1 row to train on: give at least 2.")
        for name in self.targets:
            column = loaded.numbers[:, self.numeric.index(name)]
            if np.ptp(column) == 0:
                raise FitError(
                    f"{self.path}: the target {name} is {column[0]:g} in every row; there is nothing to learn."
                )
        for name in self.categorical:
            check_words(self.path, name, loaded.words[name])
        return loaded

    def read_validation(self, path: str) -> "TableRows":
        """Return the rows of the validation file, in which the same columns are dates."""
        from fit.data.table.rows import load_rows

        return load_rows(self._reader(self._open(path), self.rows.dates), self.missing)

    def read_first(self) -> None:
        """Read the first rows; raise FitError for a missing column or a cell that is not a number."""
        next(iter(self._reader(self._file)))

    @cached_property
    def _file(self) -> "TableFile":
        """The opened file."""
        return self._open(self.path)

    def _open(self, path: str) -> "TableFile":
        """Open a file and detect its format."""
        from fit.data.table.file import TableFile

        return TableFile(path, self.dialect)

    def _reader(self, file: "TableFile", dates: Sequence[str] | None = None) -> "Reader":
        """Return a reader of the columns of a file; raise FitError if a column is missing."""
        from fit.data.table.rows import Reader

        text = [*self.categorical, *([self.group] if self.group else [])]
        file.check_columns(self.inputs, "data.inputs: ")
        file.check_columns(self.targets, "data.targets: ")
        file.check_columns(text, "data.group: ")
        inputs = [name for name in self.inputs if name not in self.categorical]
        return Reader(file, inputs, self.targets, text, dates)


def check_first_rows(data: Mapping[str, Any]) -> None:
    """Raise FitError if the first rows of a table are invalid, before torch is imported, which takes seconds."""
    Columns.of(data).read_first()


def check_words(path: str, column: str, words: np.ndarray) -> None:
    """Raise FitError if most rows have a unique word, from which nothing can be learned."""
    found, counts = np.unique(words.astype(str), return_counts=True)
    alone = int((counts == 1).sum())
    if alone > len(words) / 2:
        raise FitError(
            f"{path}: {column} has {plural(len(found), 'word')} in {len(words)} rows, {alone} of them in a single row, "
            f"so that nothing can be learned from them; leave {column} out of data.inputs, or out of data.categorical "
            "if it holds numbers or dates."
        )
