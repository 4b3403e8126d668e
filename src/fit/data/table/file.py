"""Tables in files, read in batches: CSV, TSV and Parquet."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

import numpy as np

from fit.data.table.dialect import DATES, GROUPED, MISSING, SEPARATORS, Dialect, describe_fault, detect_dialect, records
from fit.errors import FitError, missing_extra
from fit.messages import nearest, shorten_list

try:
    import pyarrow as pa
    import pyarrow.compute as pc
    from pyarrow import csv, parquet
except ImportError as error:
    raise missing_extra("data=table", "table", error) from None

from fit.data.table.dates import is_moment, read_dates

# Rows in a batch of Parquet; text is read in blocks of a mebibyte.
PARQUET_BATCH_ROWS = 2**16
DATE = r"^\s*\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}"
# The thousands separator, by the decimal sign.
SEPARATING = {"point": ",", "comma": "."}
# Numbers with an ambiguous separator, and with one that cannot be a decimal sign.
UNCLEAR = r"[+-]?\d{1,3}[.,]\d{3}"
SPACED = r"[+-]?\d{1,3}(?:[ '’\u00a0\u202f]\d{3})+(?:[.,]\d*)?"


class TableFile:
    """A table in a file; `columns` are its names in order, and `title` names the file in messages."""

    def __init__(self, path: str | Path, text: Dialect = Dialect(), title: str | None = None) -> None:  # noqa: B008
        """Detect the format of a file; raise FitError if it is not a table."""
        self.path, self.title = Path(path), title or str(path)
        if not self.path.is_file():
            what = "is not a file" if self.path.exists() else "does not exist"
            raise FitError(f"{self.title} {what}: give a CSV, TSV or Parquet file.")
        with self.path.open("rb") as file:
            self.is_parquet = file.read(4) == b"PAR1"
        self.dialect = text
        if self.is_parquet:
            with self.explained():
                self.columns = tuple(parquet.ParquetFile(self.path).schema_arrow.names)
        else:
            self.dialect, self.columns = detect_dialect(self.path, self.title, text)
        twice = next((name for name in self.columns if self.columns.count(name) > 1), None)
        if twice is not None:
            raise FitError(f"{self.title} has more than one column {twice!r}: rename one of them.")

    def check_columns(self, names: Sequence[str], what: str) -> None:
        """Raise FitError for the first name that is not a column of the file; `what` precedes it in the message."""
        for name in names:
            if name not in self.columns:
                there = shorten_list(self.columns)
                numbered = "" if self.is_parquet or self.dialect.header else ", as its first line names none"
                raise FitError(
                    f"{what}{name} is not a column of {self.title}: it has {there}{numbered}"
                    f"{nearest(name, self.columns)}."
                )

    def batches(self, names: Sequence[str]) -> Iterator[tuple[int, pa.RecordBatch]]:
        """Yield these columns in batches, each with the number of its first row; text is not converted.

        There is at least one batch, which may be empty.
        """
        first = 0
        with self.explained():
            for batch in self._parquet(names) if self.is_parquet else self._text(names):
                yield first, pa.RecordBatch.from_arrays(batch.columns, names=list(names))
                first += len(batch)

    def _parquet(self, names: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """Yield batches of a Parquet file."""
        with parquet.ParquetFile(self.path) as file:
            yield pa.RecordBatch.from_pylist([], pa.schema([file.schema_arrow.field(name) for name in names]))
            for batch in file.iter_batches(PARQUET_BATCH_ROWS, columns=list(names)):
                yield batch.select(list(names))

    def _text(self, names: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """Yield batches of a text file, without its header."""
        wanted = [f"f{self.columns.index(name)}" for name in names]
        reader = csv.open_csv(
            self.path,
            csv.ReadOptions(autogenerate_column_names=True, encoding=self.dialect.encoding),
            csv.ParseOptions(delimiter=SEPARATORS[self.dialect.separator], newlines_in_values=True),
            csv.ConvertOptions(column_types=dict.fromkeys(wanted, pa.string()), include_columns=wanted),
        )
        header = bool(self.dialect.header)
        for batch in reader:
            yield batch.slice(1) if header else batch
            header = False

    @contextmanager
    def explained(self) -> Iterator[None]:
        """Raise FitError, with the line, for what pyarrow cannot read."""
        try:
            yield
        except (pa.ArrowException, OSError, UnicodeError) as error:
            wrong = None if self.is_parquet else describe_fault(self.path, self.title, self.dialect)
            raise FitError(wrong or f"{self.title} cannot be read: {' '.join(str(error).split())}.") from None

    def locations(self, rows: Sequence[int]) -> list[str]:
        """Return the locations of rows, which are in ascending order: lines of a text, or rows of Parquet."""
        if self.is_parquet:
            return [f"row {row + 1}" for row in rows]
        lines = (line for line, _ in records(self.path, self.dialect.separator, self.dialect.encoding))
        first, found = -1 if self.dialect.header else 0, []
        for row in rows:
            found.append(f"line {next(islice(lines, row - first, None))}")
            first = row + 1
        return found

    def location(self, row: int) -> str:
        """Return the file and the location of a row, with which messages begin."""
        return f"{self.title}, {self.locations([row])[0]}"

    def holds_dates(self, cells: pa.Array) -> bool | None:
        """Whether a column holds dates, by its first value; None if it has no value."""
        cells = decode_dictionary(cells)
        if not is_text(cells.type):
            return is_moment(cells.type)
        values = to_words(cells).drop_null()
        return read_dates(values[:1]) is not None if len(values) else None

    def has_separators(self, cells: pa.Array) -> bool:
        """Whether numbers of a column have thousands separators."""
        cells = decode_dictionary(cells)
        if not is_text(cells.type) or not pc.any(pc.match_substring(cells, SEPARATING[self.dialect.decimal])).as_py():
            return False
        return bool(pc.any(have_separators(to_words(cells), self.dialect.decimal)).as_py())

    def numbers(self, cells: pa.Array, column: str, first: int, hint: str = "", *, dates: bool = False) -> np.ndarray:
        """Return a column, which begins with row `first`, as numbers, NaN for missing values; raise FitError for text.

        `hint` ends the message about text. For `dates` the numbers are years; cells may be dates or years.
        """
        cells = decode_dictionary(cells)
        kind = cells.type
        if dates and (is_text(kind) or is_moment(kind)):
            numbers = self._years(cells, column, first)
        elif pa.types.is_temporal(kind):
            raise FitError(
                f"{self.title}: {column} holds {'dates' if is_moment(kind) else kind}; give them as numbers."
            )
        elif is_text(kind):
            numbers = parse_numbers(cells, self.dialect.decimal)
            if numbers is None:
                raise FitError(self._not_a_number(cells, column, first, hint))
        elif not is_numeric(kind):
            raise FitError(f"{self.title}: {column} holds {kind}, not numbers.")
        else:
            numbers = cells.cast(pa.float64(), safe=False)
        return np.asarray(numbers.to_numpy(zero_copy_only=False))

    def _years(self, cells: pa.Array, column: str, first: int) -> pa.Array:
        """Convert dates, or numbers of years, to years; raise FitError for other cells."""
        text = to_words(cells) if is_text(cells.type) else cells
        found = read_dates(text)
        numbers = parse_numbers(cells, self.dialect.decimal) if found is None else found
        if numbers is None:
            row = next(row for row in range(len(text)) if read_dates(text.slice(row, 1)) is None)
            raise FitError(
                f"{self.location(first + row)}: {column} is {cells[row].as_py()!r}, not a date; write {DATES}."
            )
        return numbers

    def words(self, cells: pa.Array, column: str) -> np.ndarray:
        """Return the words of a column, None for missing values; raise FitError for other types, such as lists."""
        try:
            return np.asarray(to_words(cells).to_numpy(zero_copy_only=False))
        except pa.ArrowException:
            raise FitError(f"{self.title}: {column} holds {cells.type}, not words.") from None

    def _not_a_number(self, cells: pa.Array, column: str, first: int, hint: str) -> str:
        """Return a message about the first cell that is not a number."""
        row = next(row for row in range(len(cells)) if parse_numbers(cells.slice(row, 1), self.dialect.decimal) is None)
        cell, decimal = cells[row].as_py(), self.dialect.decimal
        other = "comma" if decimal == "point" else "point"
        if read_dates(cells.slice(row, 1)) is not None:
            hint = " but a date; give dates as numbers, such as days"
        elif pc.match_substring_regex(cells.slice(row, 1), DATE)[0].as_py():
            hint = f"; write {DATES}"
        elif re.fullmatch(UNCLEAR, cell.strip()):
            before, after = re.split("[.,]", cell.strip())
            ways = f"{before}{after} or {before}{SEPARATING[other]}{after}"
            hint = f", where the decimal sign is the {decimal}; write {ways}"
        elif re.fullmatch(SPACED, cell.strip()):
            hint = "; write numbers without thousands separators"
        elif parse_numbers(cells.slice(row, 1), other) is not None:
            hint = f", where the decimal sign is the {decimal}"
        return f"{self.location(first + row)}: {column} is {cell!r}, not a number{hint}."


def decode_dictionary(cells: pa.Array) -> pa.Array:
    """Decode cells that are dictionary-encoded."""
    return cells.dictionary_decode() if pa.types.is_dictionary(cells.type) else cells


def is_text(kind: pa.DataType) -> bool:
    """Whether a type is text."""
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def is_numeric(kind: pa.DataType) -> bool:
    """Whether a type is a number, true and false, or null."""
    tests = (pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal, pa.types.is_boolean, pa.types.is_null)
    return any(test(kind) for test in tests)


def parse_numbers(cells: pa.Array, decimal: str) -> pa.Array | None:
    """Convert text to numbers; None if some of it is not a number. True and false are 1 and 0.

    Unambiguous thousands separators are removed, as in 1.599,09.
    """
    number = with_decimal_point(cells, decimal)
    try:
        return number.cast(pa.float64())
    except pa.ArrowInvalid:
        pass
    cells = to_words(cells)
    cells = pc.if_else(have_separators(cells, decimal), pc.replace_substring(cells, SEPARATING[decimal], ""), cells)
    lower = pc.utf8_lower(with_decimal_point(cells, decimal))
    lower = pc.if_else(pc.equal(lower, "true"), "1", pc.if_else(pc.equal(lower, "false"), "0", lower))
    try:
        return pc.replace_substring_regex(lower, r"^\+", "").cast(pa.float64())
    except pa.ArrowInvalid:
        return None


def have_separators(words: pa.Array, decimal: str) -> pa.Array:
    """Return which words are numbers with thousands separators."""
    return pc.match_substring_regex(words, f"^(?:{GROUPED[decimal]})$")


def with_decimal_point(cells: pa.Array, decimal: str) -> pa.Array:
    """Replace the decimal sign by a point."""
    return pc.replace_substring(pc.replace_substring(cells, ".", "?"), ",", ".") if decimal == "comma" else cells


def to_words(cells: pa.Array) -> pa.Array:
    """Convert cells to words without surrounding blanks, null for missing values."""
    text = pc.utf8_trim_whitespace(decode_dictionary(cells).cast(pa.string()))
    return pc.if_else(pc.is_in(pc.utf8_lower(text), pa.array(MISSING)), None, text)
