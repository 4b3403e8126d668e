"""Predictions for the rows of a file, which may be larger than memory."""

import os
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import chain, count
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import parquet

from fit.data.table.dialect import SEPARATORS, Dialect
from fit.data.table.file import TableFile, decode_dictionary
from fit.errors import FitError
from fit.messages import nearest, plural
from fit.predict.inputs import check_columns, encode_inputs, input_columns
from fit.predict.predictor import Predictor
from fit.settings.schema import LARGEST

# Rows to compute at once.
BATCH_ROWS = 2**14


def predict_file(predictor: Predictor, source: str, target: str, dialect: Dialect) -> None:
    """Write the rows of a file with their predictions, and print how many extrapolate; `-` is standard input or output.

    `dialect` is how the file is written, unless it is Parquet. Raises FitError for a row that cannot be predicted; then
    no output file is left.
    """
    total = outside = 0
    with open_input(source, dialect) as file, open_output(target) as sink:
        check_columns(predictor, file.columns, file.title)
        read_by_eye = target == "-" and sys.stdout.isatty()
        writer = PredictionWriter(sink, file, as_parquet=target.endswith(".parquet"), read_by_eye=read_by_eye)
        for first, whole in file.batches(file.columns):
            for start in range(0, max(1, len(whole)), BATCH_ROWS):
                batch = whole.slice(start, BATCH_ROWS)
                given = read_inputs(predictor, file, batch, first + start)
                predictions = predict_batch(predictor, given, len(batch))
                writer.write(batch, given, predictions)
                total += len(batch)
                outside += int(predictions["extrapolation"].sum())
        writer.close()
    if outside:
        lie = "lies" if outside == 1 else "lie"
        print(f"{outside} of {plural(total, 'row')} {lie} outside the range of the training rows.", file=sys.stderr)


def read_inputs(predictor: Predictor, file: TableFile, batch: pa.RecordBatch, first: int) -> dict[str, np.ndarray]:
    """Return the input columns of a batch whose first row is `first`."""
    given: dict[str, np.ndarray] = {}
    for name in input_columns(predictor):
        if name not in file.columns:
            continue
        if name in predictor.categories:
            given[name] = read_words(predictor, file, batch, name, first)
        else:
            given[name] = read_numbers(file, batch, name, first, dates=name in predictor.dates)
    return given


def predict_batch(predictor: Predictor, given: Mapping[str, np.ndarray], rows: int) -> dict[str, np.ndarray]:
    """Return the columns to add to a batch: predictions, standard deviations and `extrapolation`."""
    inputs = encode_inputs(predictor, given, rows)
    means, deviations = predictor(inputs)
    added = dict(zip(predictor.targets, means.numpy().T, strict=True))
    if deviations is not None:
        spreads = zip(predictor.targets, deviations.numpy().T, strict=True)
        added |= {f"{name} std": values for name, values in spreads}
    return added | {"extrapolation": predictor.outside(inputs).numpy().astype(np.int8)}


def read_numbers(file: TableFile, batch: pa.RecordBatch, name: str, first: int, *, dates: bool) -> np.ndarray:
    """Return a column as finite numbers, those of `dates` in years; raise FitError for other cells."""
    numbers = file.numbers(batch.column(name), name, first, dates=dates)
    wrong = ~(np.abs(numbers) <= LARGEST)
    if wrong.any():
        row = int(wrong.argmax())
        what = "has no value" if np.isnan(numbers[row]) else f"is {numbers[row]:g}"
        raise FitError(f"{file.location(first + row)}: {name} {what}; give numbers up to {LARGEST:g}.")
    return numbers


def read_words(predictor: Predictor, file: TableFile, batch: pa.RecordBatch, name: str, first: int) -> np.ndarray:
    """Return a column as words; raise FitError for a word that was not trained on."""
    known = predictor.categories[name]
    words = file.words(batch.column(name), name)
    for row, word in enumerate(words):
        if word not in known:
            what = "has no value" if word is None else f"is {word!r}"
            raise FitError(
                f"{file.location(first + row)}: {name} {what}; give {' or '.join(known)}{nearest(str(word), known)}."
            )
    return words


class PredictionWriter:
    """Writes batches with their predictions, as Parquet or in the dialect of the input file.

    Numbers have all digits, so that they are read back exactly, or six for a terminal.
    """

    def __init__(self, sink: BinaryIO, file: TableFile, *, as_parquet: bool, read_by_eye: bool = False) -> None:
        """Keep the destination; the first batch determines the columns."""
        self.sink, self.file, self.as_parquet, self.read_by_eye = sink, file, as_parquet, read_by_eye
        self.separator = "," if file.is_parquet else SEPARATORS[file.dialect.separator]
        self._names: list[str] = []
        self._header: list[str] = []
        self._parquet: parquet.ParquetWriter | None = None

    def write(self, batch: pa.RecordBatch, given: Mapping[str, np.ndarray], added: Mapping[str, np.ndarray]) -> None:
        """Write a batch with the `added` columns; Parquet gets the input columns `given` as they were converted."""
        new = [pa.array(values) for values in added.values()]
        if not self._names:
            self._names = [*self.file.columns]
            for name in added:
                self._names.append(unused_name(name, self._names))
            self._header = [self.separator.join(self._quoted(pa.array(self._names)).to_pylist())]
        if self.as_parquet:
            typed = {} if self.file.is_parquet else {name: pa.array(values) for name, values in given.items()}
            old = [typed.get(name, cells) for name, cells in zip(self.file.columns, batch.columns, strict=True)]
            whole = pa.RecordBatch.from_arrays([*old, *new], names=self._names)
            self._parquet = self._parquet or parquet.ParquetWriter(self.sink, whole.schema)
            self._parquet.write_batch(whole)
            return
        old = [self._as_text(name, cells) for name, cells in zip(self.file.columns, batch.columns, strict=True)]
        cells = [self._quoted(each) for each in [*old, *map(self._written, new)]]
        if len(batch):
            self._write_lines(pc.binary_join_element_wise(*cells, self.separator).to_pylist())

    def _write_lines(self, lines: list[str]) -> None:
        """Write lines, preceded by the header if it is not written yet."""
        self.sink.writelines(f"{line}\n".encode() for line in self._header + lines)
        self._header = []

    def _as_text(self, name: str, cells: pa.Array) -> pa.Array:
        """Return cells as text, empty for missing values; raise FitError for other types, such as lists."""
        try:
            return pc.fill_null(decode_dictionary(cells).cast(pa.string()), "")
        except pa.ArrowException:
            message = f"{self.file.title}: {name} holds {cells.type}, which cannot be written as text"
            raise FitError(f"{message}; give --output FILE.parquet.") from None

    def _written(self, numbers: pa.Array) -> pa.Array:
        """Format numbers with the file's own decimal sign."""
        shortened = self.read_by_eye and pa.types.is_floating(numbers.type)
        cells = pa.array([f"{each:.6g}" for each in numbers.to_pylist()]) if shortened else numbers.cast(pa.string())
        comma = not self.file.is_parquet and self.file.dialect.decimal == "comma"
        return pc.replace_substring(cells, ".", ",") if comma else cells

    def _quoted(self, cells: pa.Array) -> pa.Array:
        """Quote the cells that need it."""
        special = pc.match_substring_regex(cells, f'["\\r\\n{re.escape(self.separator)}]')
        if not pc.any(special).as_py():
            return cells
        return pc.if_else(
            special, pc.binary_join_element_wise('"', pc.replace_substring(cells, '"', '""'), '"', ""), cells
        )

    def close(self) -> None:
        """Finish the output."""
        if self._parquet is not None:
            self._parquet.close()
        elif not self.as_parquet:
            self._write_lines([])


def unused_name(name: str, names: Sequence[str]) -> str:
    """Return a name for an added column that no other column has."""
    others = (f"{name} predicted" + (f" {number}" if number > 1 else "") for number in count(1))
    return next(each for each in chain([name], others) if each not in names)


@contextmanager
def open_input(source: str, dialect: Dialect) -> Iterator[TableFile]:
    """Open a file; one that cannot be read twice, such as standard input, is copied to a temporary file first."""
    if source != "-" and (not Path(source).exists() or Path(source).is_file() or Path(source).is_dir()):
        yield TableFile(source, dialect)
        return
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "input"
        with copy.open("wb") as file:
            if source == "-":
                shutil.copyfileobj(sys.stdin.buffer, file)
            else:
                with Path(source).open("rb") as pipe:
                    shutil.copyfileobj(pipe, file)
        yield TableFile(copy, dialect, title="standard input" if source == "-" else source)


@contextmanager
def open_output(target: str) -> Iterator[BinaryIO]:
    """Open a file that appears only once it is complete; `-` is standard output."""
    if target == "-":
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    path = Path(target)
    if path.exists() and not path.is_file():  # a pipe, or a device
        with path.open("wb") as file:
            yield file
        return
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with beside.open("wb") as file:
            yield file
        beside.replace(path)
    except pa.ArrowException as error:
        raise FitError(f"{target} cannot be written: {' '.join(str(error).split())}.") from None
    finally:
        beside.unlink(missing_ok=True)
