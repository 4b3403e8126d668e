"""What people have in Python (arrays, DataFrames, mappings of columns) as the tensors that networks take."""

from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from fit.config.rules import nearest
from fit.errors import FitError
from fit.folder import write_atomically
from fit.predict.inputs import columns, encode, needed
from fit.predict.predictor import Predictor


def to_inputs(given: Any, predictor: Predictor) -> Tensor:  # noqa: ANN401 -- whatever holds columns
    """Return inputs `[rows, inputs]`; raise FitError for columns that are missing, or not numbers."""
    if isinstance(given, Mapping) or hasattr(given, "columns"):
        return by_name(given, predictor)
    values = to_numbers(given, "The inputs")
    values = values.reshape(-1, 1) if values.ndim == 1 and len(predictor.inputs) == 1 else np.atleast_2d(values)
    if values.ndim != 2 or values.shape[1] != len(predictor.inputs):
        names = ", ".join(predictor.inputs)
        raise FitError(f"The inputs are {list(values.shape)}: give [rows, {len(predictor.inputs)}], of {names}.")
    return torch.from_numpy(values)


def by_name(given: Any, predictor: Predictor) -> Tensor:  # noqa: ANN401
    """Find every input among named columns; one that was constant in training need not be given."""
    names = [str(name) for name in (given.columns if hasattr(given, "columns") else given)]
    for name in needed(predictor):
        if name not in names:
            raise FitError(f"The column {name} is missing{nearest(name, names)}: there are {', '.join(names)}.")
    found: dict[str, np.ndarray] = {}
    for name in columns(predictor):
        if name not in names:
            continue
        if name in predictor.categories:
            found[name] = np.atleast_1d(np.asarray(given[name], dtype=object))
            if strange := set(found[name].tolist()) - set(predictor.categories[name]):
                raise FitError(f"{name} holds {min(map(str, strange))}, which was not among the words trained on.")
        else:
            found[name] = np.atleast_1d(to_numbers(given[name], name))
    return encode(predictor, found, max(map(len, found.values()), default=0))


def to_numbers(given: Any, what: str) -> np.ndarray:  # noqa: ANN401
    """Return an array of doubles; raise FitError for what is not numbers."""
    try:
        return np.array(given.detach().cpu() if isinstance(given, Tensor) else given, dtype=np.float64)
    except (TypeError, ValueError):
        raise FitError(f"{what} cannot be read as numbers.") from None


def save_data(data: Any, folder: Path) -> Path:  # noqa: ANN401
    """Write a DataFrame, or a pair of inputs and targets, into a run folder, and return the file."""
    if hasattr(data, "columns"):
        path = folder / "data.parquet"
        try:
            (data.to_parquet if hasattr(data, "to_parquet") else data.write_parquet)(path)
        except ImportError:
            raise FitError("A DataFrame needs pyarrow: pip install 'fit[table]'.") from None
        return path
    path, buffer = folder / "data.npz", BytesIO()
    inputs, targets = (to_numbers(each, name) for each, name in zip(data, ("The inputs", "The targets"), strict=True))
    np.savez(buffer, inputs=inputs.reshape(len(inputs), -1), targets=targets.reshape(len(targets), -1))
    write_atomically(path, buffer.getvalue())
    return path
