"""The rows of a table that can be computed with."""

from collections.abc import Collection, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from fit.data.table.file import TableFile
from fit.errors import FitError
from fit.messages import plural
from fit.settings.schema import LARGEST

if TYPE_CHECKING:  # pyarrow is an extra, as table_file says where it lacks
    import pyarrow as pa

# How many places of missing values are named.
MOST_LINES_NAMED = 5
# What is said of an input that is no number.
NOT_A_NUMBER_HINT = "; name a column of words in data.categorical, or leave it out of data.inputs"


class TableRows(NamedTuple):
    """Rows of a file: `numbers [rows, columns]` in float64, the words of text columns, and how many were left out.

    Columns that hold `dates` are numbers of years; `separated` are those with thousands separators.
    """

    numbers: np.ndarray
    words: dict[str, np.ndarray]
    left_out: int
    dates: tuple[str, ...]
    separated: tuple[str, ...]


class Reader:
    """Reads columns of numbers, `inputs` and `targets`, and of text; iterating gives both for each batch of rows.

    Which inputs are `dates` is told by their first value unless it is given. A cell that is no number raises FitError.
    """

    def __init__(
        self,
        file: TableFile,
        inputs: Sequence[str],
        targets: Sequence[str],
        text: Sequence[str],
        dates: Collection[str] | None = None,
    ) -> None:
        """Take a file and the names of its columns."""
        self.file, self.numeric, self.text = file, [*inputs, *targets], text
        self.separated = set[str]()
        self._dates: dict[str, bool | None] = {name: None if dates is None else name in dates for name in inputs}

    @property
    def dates(self) -> tuple[str, ...]:
        """The inputs that are dates, as far as they were read."""
        return tuple(name for name, is_date in self._dates.items() if is_date)

    def __iter__(self) -> Iterator[tuple[np.ndarray, dict[str, np.ndarray]]]:
        """Yield numbers `[rows, columns]` and words `[rows]` by column."""
        for first, batch in self.file.batches(list(dict.fromkeys([*self.numeric, *self.text]))):
            numbers = [self._numbers(batch.column(name), name, first) for name in self.numeric]
            yield np.stack(numbers, 1), {name: self.file.words(batch.column(name), name) for name in self.text}

    def _numbers(self, cells: "pa.Array", name: str, first: int) -> np.ndarray:
        """Return the numbers of a column from row `first` on."""
        if self.file.has_separators(cells):
            self.separated.add(name)
        if name not in self._dates:
            return self.file.numbers(cells, name, first)
        if self._dates[name] is None:
            self._dates[name] = self.file.holds_dates(cells)
        return self.file.numbers(cells, name, first, NOT_A_NUMBER_HINT, dates=bool(self._dates[name]))


def load_rows(reader: Reader, missing: str) -> TableRows:
    """Read all rows; raise FitError for the first cell that cannot be computed with.

    Rows with missing values are refused or, where `missing` is `drop`, left out.
    """
    file = reader.file
    parts, said = zip(*reader, strict=True)
    numbers = np.concatenate(parts)
    spoken = {name: np.concatenate([each[name] for each in said]) for name in reader.text}
    if not len(numbers):
        raise FitError(f"{file.title} has no rows.")
    lacking = np.isnan(numbers).any(1)
    for each in spoken.values():
        lacking |= np.array([word is None for word in each], dtype=bool)
    if lacking.any() and missing == "refuse":
        raise FitError(missing_message(file, np.flatnonzero(lacking)))
    if lacking.all():
        raise FitError(f"{file.title} has missing values in every row.")
    check_magnitude(file, reader.numeric, numbers)
    if lacking.any():
        numbers, spoken = numbers[~lacking], {name: each[~lacking] for name, each in spoken.items()}
    separated = tuple(name for name in reader.numeric if name in reader.separated)
    return TableRows(numbers, spoken, int(lacking.sum()), reader.dates, separated)


def missing_message(file: TableFile, rows: np.ndarray) -> str:
    """Say how many rows lack values, and where the first are."""
    places = ", ".join(file.locations(rows[:MOST_LINES_NAMED].tolist())) + (
        ", …" if len(rows) > MOST_LINES_NAMED else ""
    )
    count = plural(len(rows), "row")
    return f"{file.title} has {count} with missing values ({places}): give data.missing=drop to leave them out."


def check_magnitude(file: TableFile, numeric: Sequence[str], numbers: np.ndarray) -> None:
    """Raise FitError for the first number that is too large."""
    with np.errstate(invalid="ignore"):
        too_large = np.abs(numbers) > LARGEST
    if too_large.any():
        row, column = np.argwhere(too_large)[0].tolist()
        raise FitError(
            f"{file.location(row)}: {numeric[column]} is {numbers[row, column]:g}; give numbers up to {LARGEST:g}."
        )
