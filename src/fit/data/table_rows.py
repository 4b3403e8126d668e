"""The rows of a table that can be computed with."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from fit.config.rule import LARGEST
from fit.config.rules import plural
from fit.data.table_file import TableFile
from fit.errors import FitError

# How many places of missing values are named.
MOST_PLACES = 5
# What to do about a column of words.
HINT = "; name an input of words in data.categorical"


class Loaded(NamedTuple):
    """Rows of a file: `numbers [rows, columns]` in float64, the words of text columns, and how many were left out."""

    numbers: np.ndarray
    words: dict[str, np.ndarray]
    left_out: int


def load(file: TableFile, numeric: Sequence[str], text: Sequence[str], missing: str) -> Loaded:
    """Read the columns of a table; raise FitError for the first cell that cannot be computed with.

    Rows with missing values are refused or, where `missing` is `drop`, left out.
    """
    parts, said = [], dict[str, list[np.ndarray]]({column: [] for column in text})
    for first, batch in file.batches(list(dict.fromkeys([*numeric, *text]))):
        columns = [file.numbers(batch.column(name), name, first, HINT) for name in numeric]
        parts.append(np.stack(columns, 1))
        for name in said:
            said[name].append(file.words(batch.column(name), name))
    numbers = np.concatenate(parts)
    spoken = {name: np.concatenate(each) for name, each in said.items()}
    if not len(numbers):
        raise FitError(f"{file.title} has no rows.")
    lacking = np.isnan(numbers).any(1)
    for each in spoken.values():
        lacking |= np.array([word is None for word in each], dtype=bool)
    if lacking.any() and missing == "refuse":
        raise FitError(tell_missing(file, np.flatnonzero(lacking)))
    if lacking.all():
        raise FitError(f"{file.title} has missing values in every row.")
    check_size(file, numeric, numbers)
    if lacking.any():
        numbers, spoken = numbers[~lacking], {name: each[~lacking] for name, each in spoken.items()}
    return Loaded(numbers, spoken, int(lacking.sum()))


def tell_missing(file: TableFile, rows: np.ndarray) -> str:
    """Say how many rows lack values, and where the first are."""
    places = ", ".join(file.places(rows[:MOST_PLACES].tolist())) + (", …" if len(rows) > MOST_PLACES else "")
    count = plural(len(rows), "row")
    return f"{file.title} has {count} with missing values ({places}): give data.missing=drop to leave them out."


def check_size(file: TableFile, numeric: Sequence[str], numbers: np.ndarray) -> None:
    """Raise FitError for the first number that is too large."""
    with np.errstate(invalid="ignore"):
        too_large = np.abs(numbers) > LARGEST
    if too_large.any():
        row, column = np.argwhere(too_large)[0].tolist()
        raise FitError(
            f"{file.at(row)}: {numeric[column]} is {numbers[row, column]:g}; give numbers up to {LARGEST:g}."
        )
