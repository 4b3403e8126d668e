"""Arrays, DataFrames and mappings of columns as the tensors that networks take."""

from collections.abc import Mapping
from importlib import import_module
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from fit.data.table.dialect import DATES
from fit.errors import FitError, missing_extra
from fit.folder import write_atomically
from fit.predict.inputs import check_columns, encode_inputs, input_columns
from fit.predict.predictor import Predictor


def to_inputs(given: Any, predictor: Predictor) -> Tensor:  # noqa: ANN401 -- whatever holds columns
    """Convert arrays or named columns to inputs `[rows, inputs]`; raise FitError for missing or invalid columns."""
    if isinstance(given, Mapping) or hasattr(given, "columns"):
        return columns_to_inputs(given, predictor)
    values = to_numbers(given, "The inputs")
    if values.ndim == 1 and values.size == 0:
        values = values.reshape(0, len(predictor.inputs))
    values = values.reshape(-1, 1) if values.ndim == 1 and len(predictor.inputs) == 1 else np.atleast_2d(values)
    if values.ndim != 2 or values.shape[1] != len(predictor.inputs):
        names = ", ".join(predictor.inputs)
        raise FitError(
            f"The inputs have the shape {list(values.shape)}: give [rows, {len(predictor.inputs)}], columns {names}."
        )
    return torch.from_numpy(values)


def columns_to_inputs(given: Any, predictor: Predictor) -> Tensor:  # noqa: ANN401
    """Convert named columns to inputs; one that was constant in training may be missing."""
    names = [str(name) for name in (given.columns if hasattr(given, "columns") else given)]
    check_columns(predictor, names, "The input")
    found: dict[str, np.ndarray] = {}
    for name in input_columns(predictor):
        if name not in names:
            continue
        if name in predictor.categories:
            found[name] = to_words(given[name], name)
            if strange := set(found[name].tolist()) - set(predictor.categories[name]):
                raise FitError(f"{name} holds {min(map(str, strange))}, which was not among the words trained on.")
        else:
            read = to_years if name in predictor.dates else to_numbers
            found[name] = np.atleast_1d(read(given[name], name))
    if len({values.shape for values in found.values()}) > 1 or any(values.ndim > 1 for values in found.values()):
        shapes = ", ".join(f"{name} {list(values.shape)}" for name, values in found.items())
        raise FitError(f"The columns are not of equal length: give [rows] for each, instead of {shapes}.")
    return encode_inputs(predictor, found, max(map(len, found.values()), default=0))


def to_words(given: Any, name: str) -> np.ndarray:  # noqa: ANN401
    """Convert values to words, numbers and booleans as a table writes them; raise FitError for other types."""
    cells = np.atleast_1d(np.asarray(given, dtype=object))
    if all(isinstance(cell, str) for cell in cells.flat):
        return cells
    from fit.data.table.file import to_words  # first, as it says so where pyarrow is missing

    pa = import_module("pyarrow")

    try:
        return np.asarray(to_words(pa.array(cells.tolist(), from_pandas=True)).to_numpy(zero_copy_only=False))
    except pa.ArrowException:
        raise FitError(f"{name} cannot be read as words.") from None


def to_years(given: Any, name: str) -> np.ndarray:  # noqa: ANN401
    """Convert dates, as text or as dates, to years, and leave years as they are; raise FitError for other values."""
    try:
        return to_numbers(given, name)
    except FitError:
        from fit.data.table.dates import years_of

        years = years_of(np.atleast_1d(np.asarray(given)))
    if years is None:
        raise FitError(f"{name} cannot be read as dates: give {DATES}, or numbers of years.")
    return years


def to_numbers(given: Any, what: str) -> np.ndarray:  # noqa: ANN401
    """Convert values to an array of doubles; raise FitError if they are not numbers."""
    try:
        values = np.asarray(given.detach().cpu() if isinstance(given, Tensor) else given)
        if values.dtype.kind in "cmM":  # NumPy would drop imaginary parts, or count the units of a date
            raise TypeError
        return values.astype(np.float64)
    except (TypeError, ValueError):
        raise FitError(f"{what} cannot be read as numbers.") from None


def save_data(data: Any, path: Path) -> None:  # noqa: ANN401
    """Write a DataFrame, or a pair of inputs and targets, into a file; raise FitError for anything else."""
    if hasattr(data, "columns"):
        try:
            import pyarrow  # noqa: F401
        except ImportError as error:
            raise missing_extra("A DataFrame", "table", error) from None
        try:
            (data.to_parquet if hasattr(data, "to_parquet") else data.write_parquet)(path)
        except Exception as error:  # from pyarrow or polars, about a column of mixed types
            raise FitError(f"The DataFrame cannot be written: {' '.join(str(error).split())}.") from None
        return
    try:
        inputs, targets = data
    except (TypeError, ValueError):
        raise FitError("data is not a pair: give inputs and targets, data=(x, y), or a DataFrame.") from None
    arrays, buffer = (
        {"inputs": to_numbers(inputs, "The inputs"), "targets": to_numbers(targets, "The targets")},
        BytesIO(),
    )
    for name, values in arrays.items():
        if values.ndim == 0 or values.size == 0:
            raise FitError(f"The {name} have the shape {list(values.shape)}: give [rows] or [rows, {name}].")
        arrays[name] = values.reshape(len(values), -1)
    np.savez(buffer, allow_pickle=False, **arrays)
    write_atomically(path, buffer.getvalue())
