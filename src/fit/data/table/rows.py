"""The rows of a table as numbers and words."""

from collections.abc import Collection, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from fit.data.table.file import TableFile
from fit.errors import FitError
from fit.messages import plural
from fit.settings.schema import LARGEST

if TYPE_CHECKING:  # pyarrow is an extra
    import pyarrow as pa

# The most lines with missing values to name.
MOST_LINES_NAMED = 5
# Added to the message about an input that is not a number.
NOT_A_NUMBER_HINT = "; name a column of words in data.categorical, or leave it out of data.inputs"


class TableRows(NamedTuple):
    """Rows of a file: `numbers` `[rows, columns]` in float64, the `words` of text columns, and how many were left out.

    The columns `dates` are numbers of years; the columns `separated` have thousands separators.
    """

    numbers: np.ndarray
    words: dict[str, np.ndarray]
    left_out: int
    dates: tuple[str, ...]
    separated: tuple[str, ...]


class Reader:
    """Reads numeric columns, `inputs` and `targets`, and text columns; iterating yields both for each batch of rows.

    Unless `dates` are given, an input is one if its first value is. A cell that is not a number raises FitError.
    """

    def __init__(
        self,
        file: TableFile,
        inputs: Sequence[str],
        targets: Sequence[str],
        text: Sequence[str],
        dates: Collection[str] | None = None,
    ) -> None:
        """Keep a file and the names of its columns."""
        self.file, self.numeric, self.text = file, [*inputs, *targets], text
        self.separated = set[str]()
        self._dates: dict[str, bool | None] = {name: None if dates is None else name in dates for name in inputs}

    @property
    def dates(self) -> tuple[str, ...]:
        """The inputs that are dates, as far as they have been read."""
        return tuple(name for name, is_date in self._dates.items() if is_date)

    def __iter__(self) -> Iterator[tuple[np.ndarray, dict[str, np.ndarray]]]:
        """Yield numbers `[rows, columns]` and words `[rows]` by column."""
        for first, batch in self.file.batches(list(dict.fromkeys([*self.numeric, *self.text]))):
            numbers = [self._numbers(batch.column(name), name, first) for name in self.numeric]
            yield np.stack(numbers, 1), {name: self.file.words(batch.column(name), name) for name in self.text}

    def _numbers(self, cells: "pa.Array", name: str, first: int) -> np.ndarray:
        """Convert a column, which begins with row `first`, to numbers."""
        if self.file.has_separators(cells):
            self.separated.add(name)
        if name not in self._dates:
            return self.file.numbers(cells, name, first)
        if self._dates[name] is None:
            self._dates[name] = self.file.holds_dates(cells)
        return self.file.numbers(cells, name, first, NOT_A_NUMBER_HINT, dates=bool(self._dates[name]))


def load_rows(reader: Reader, missing: str) -> TableRows:
    """Read all rows; raise FitError for the first invalid cell.

    Rows with missing values raise FitError too or, if `missing` is `drop`, are left out.
    """
    file = reader.file
    parts, texts = zip(*reader, strict=True)
    numbers = np.concatenate(parts)
    words = {name: np.concatenate([each[name] for each in texts]) for name in reader.text}
    if not len(numbers):
        raise FitError(f"{file.title} has no rows.")
    lacking = np.isnan(numbers).any(1)
    for each in words.values():
        lacking |= np.array([word is None for word in each], dtype=bool)
    if lacking.any() and missing == "refuse":
        raise FitError(missing_message(file, np.flatnonzero(lacking)))
    if lacking.all():
        raise FitError(f"{file.title} has missing values in every row.")
    check_magnitude(file, reader.numeric, numbers)
    if lacking.any():
        numbers, words = numbers[~lacking], {name: each[~lacking] for name, each in words.items()}
    separated = tuple(name for name in reader.numeric if name in reader.separated)
    return TableRows(numbers, words, int(lacking.sum()), reader.dates, separated)


def missing_message(file: TableFile, rows: np.ndarray) -> str:
    """Return a message with how many rows lack values, and on which lines the first are."""
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
