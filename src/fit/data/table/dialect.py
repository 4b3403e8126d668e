"""The dialect of a table of text, detected from its first records, and the lines of its rows."""

import codecs
import csv
import re
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from fit.errors import FitError

# The comma is last: where another one separates the cells, it is a decimal sign.
SEPARATORS = {"tab": "\t", "semicolon": ";", "pipe": "|", "comma": ","}
# Cells that stand for a missing value, in lower case.
MISSING = ("", "na", "n/a", "nan", "null")
# Unambiguous numbers with thousands separators, by their decimal sign: 1.599,09 but not 1.599.
GROUPED = {
    "comma": r"[+-]?\d{1,3}(?:\.\d{3})+,\d+|[+-]?\d{1,3}(?:\.\d{3}){2,}",
    "point": r"[+-]?\d{1,3}(?:,\d{3})+\.\d+|[+-]?\d{1,3}(?:,\d{3}){2,}",
}
# For messages: the formats of dates, and their meaning as numbers.
DATES = "dates as 2024-01-31, 2024-01-31 13:45, 2024-01 or 31.01.2024"
YEARS = "years, with the part of the year that has passed: 2024-07-02 is 2024.5"
# How many records and bytes of a file are examined.
SAMPLE_RECORDS = 100
SAMPLE_BYTES = 2**16


class Dialect(NamedTuple):
    """How a table of text is written; `auto` is detected from the file."""

    separator: str = "auto"
    header: bool | str = "auto"
    decimal: str = "auto"
    encoding: str = "utf-8"


def detect_dialect(path: Path, title: str, text: Dialect) -> tuple[Dialect, tuple[str, ...]]:
    """Return the dialect of a file and the names of its columns; raise FitError if it is not a table."""
    text = text._replace(encoding=codecs.lookup(text.encoding).name)  # utf8 and UTF-8 are utf-8
    with path.open("rb") as file:
        sample = file.read(SAMPLE_BYTES)
    if b"\0" in sample and "16" not in text.encoding and "32" not in text.encoding:
        raise FitError(f"{title} is not a table: give a CSV, TSV or Parquet file, or data.encoding if it is utf-16.")
    try:
        samples = {
            name: [cells for _, cells in islice(records(path, name, text.encoding), SAMPLE_RECORDS)]
            for name in SEPARATORS
        }
    except UnicodeError:
        raise FitError(describe_wrong_encoding(path, title, text.encoding)) from None
    except csv.Error as error:
        raise FitError(f"{title} is not a table: {error}.") from None
    if not samples["comma"]:
        raise FitError(f"{title} is empty.")
    separator = choose_separator(samples) if text.separator == "auto" else text.separator
    found = samples[separator]
    check_beginning(title, samples, found)
    decimal = choose_decimal(found, separator) if text.decimal == "auto" else text.decimal
    header = has_header(found, decimal) if text.header == "auto" else bool(text.header)
    names = [name.strip() for name in found[0]] if header else [f"c{n}" for n in range(1, len(found[0]) + 1)]
    return Dialect(separator, header, decimal, text.encoding), tuple(names)


def records(path: Path, separator: str, encoding: str) -> Iterator[tuple[int, list[str]]]:
    """Yield each record's first line number and its cells; blank lines are skipped."""
    with path.open(encoding="utf-8-sig" if encoding == "utf-8" else encoding, newline="") as file:
        reader = csv.reader(file, delimiter=SEPARATORS[separator])
        line = 1
        for cells in reader:
            if cells:
                yield line, cells
            line = reader.line_num + 1


def choose_separator(samples: dict[str, list[list[str]]]) -> str:
    """Return the separator that splits all records into equally many cells, else the first record into most."""
    for name, found in samples.items():
        if len(found[0]) > 1 and len({len(cells) for cells in found}) == 1:
            return name
    return max(reversed(samples), key=lambda name: len(samples[name][0]))


def check_beginning(title: str, samples: dict[str, list[list[str]]], found: list[list[str]]) -> None:
    """Raise FitError if cells are separated by blanks, or the first line is obviously not part of the table."""
    blanks = [cells[0].strip() for cells in found if len(cells) == 1 and are_numbers(cells[0].split())]
    if blanks and (len(found[0]) == 1 or len(blanks) > len(found) / 2):
        raise FitError(
            f"{title} separates its cells by blanks, as in {blanks[0]!r}: save it with commas, tabs, "
            "semicolons or pipes, and the names of the columns as its first line."
        )
    if len(found[0]) == 1 and any(are_numbers(cells) for each in samples.values() for cells in each):
        raise FitError(
            f"{title} begins with {found[0][0].strip()!r}, which does not name the columns: "
            "remove everything above the table."
        )


def are_numbers(cells: Sequence[str]) -> bool:
    """Whether there are several cells, all of them numbers."""
    return len(cells) > 1 and all(is_number(cell, "point") or is_number(cell, "comma") for cell in cells)


def choose_decimal(found: Sequence[Sequence[str]], separator: str) -> str:
    """Return `comma` if there are numbers with a comma but none with a point, or some such as 1.599,09 with both."""
    cells = [cell.strip() for record in found for cell in record]
    both = [cell for cell in cells if "." in cell and "," in cell]
    grouped = [decimal for decimal in GROUPED if any(re.fullmatch(GROUPED[decimal], cell) for cell in both)]
    if len(grouped) == 1:
        return grouped[0]
    commas = any("," in cell and is_number(cell, "comma") for cell in cells)
    points = any("." in cell and is_number(cell, "point") for cell in cells)
    return "comma" if separator != "comma" and commas and not points else "point"


def has_header(found: Sequence[Sequence[str]], decimal: str) -> bool:
    """Whether the first record names a numeric column, or no column is numeric."""
    names, *rows = found
    numbers = [
        column
        for column in range(len(names))
        if all(is_number(row[column], decimal) or is_missing(row[column]) for row in rows if column < len(row))
    ]
    named = [column for column in numbers if not is_number(names[column], decimal) and not is_missing(names[column])]
    return bool(named) or not numbers


def is_number(cell: str, decimal: str) -> bool:
    """Whether a cell is a number, true or false."""
    if re.fullmatch(GROUPED[decimal], cell.strip()):
        return True
    if decimal == "comma":
        cell = cell.replace(".", "?").replace(",", ".")
    try:
        return "_" not in cell and float(cell) is not None
    except ValueError:
        return cell.strip().lower() in ("true", "false")


def is_missing(cell: str) -> bool:
    """Whether a cell has no value."""
    return cell.strip().lower() in MISSING


def describe_wrong_encoding(path: Path, title: str, encoding: str) -> str:
    """Return a message with the first line of a file that is not in an encoding."""
    message = f"not text in {encoding}; save it as utf-8, or train with data.encoding."
    decoder = codecs.getincrementaldecoder(encoding)()
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            try:
                decoder.decode(line)
            except UnicodeError:
                return f"{title}, line {number}: this is {message}"
    return f"{title} is {message}"


def describe_fault(path: Path, title: str, text: Dialect) -> str | None:
    """Return a message with the first line at which a file is not a table; None if there is none."""
    width = 0
    try:
        for line, cells in records(path, text.separator, text.encoding):
            width = width or len(cells)
            if len(cells) != width:
                return f"{title}, line {line}: there are {len(cells)} cells, but {width} in the first line."
    except UnicodeError:
        return describe_wrong_encoding(path, title, text.encoding)
    except csv.Error as error:
        return f"{title} is not a table: {error}."
    return None
