"""The inputs of a fitted function, made from named columns."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from fit.errors import FitError
from fit.messages import nearest, shorten_list
from fit.predict.predictor import Predictor


def input_columns(predictor: Predictor) -> list[str]:
    """Return the columns of the inputs: numbers, dates, and text columns."""
    words = word_inputs(predictor)
    return list(dict.fromkeys(words[name][0] if name in words else name for name in predictor.inputs))


def required_columns(predictor: Predictor) -> list[str]:
    """Return the columns that must be given: all but those that were constant in training."""
    ranges = zip(predictor.low.tolist(), predictor.high.tolist(), strict=True)
    constant = {name for name, (low, high) in zip(predictor.inputs, ranges, strict=True) if low == high}
    return [name for name in input_columns(predictor) if name not in constant]


def word_inputs(predictor: Predictor) -> dict[str, tuple[str, str]]:
    """Return the text column and the word of each input that stands for a word, by its name."""
    return {f"{column}={word}": (column, word) for column, each in predictor.categories.items() for word in each}


def check_columns(predictor: Predictor, columns: Sequence[str], title: str) -> None:
    """Raise FitError for a required column that is not among `columns`; `title` names what has them."""
    for name in required_columns(predictor):
        if name not in columns:
            there = shorten_list(columns)
            raise FitError(f"{title} lacks the column {name}{nearest(name, columns)}: it has {there}.")


def encode_inputs(
    predictor: Predictor, given: Mapping[str, np.ndarray | Sequence[str] | Sequence[float]], rows: int = 1
) -> Tensor:
    """Return the inputs `[rows, inputs]` for columns of numbers and words; a missing one is constant as in training."""
    words, inputs = word_inputs(predictor), []
    for name, low in zip(predictor.inputs, predictor.low.tolist(), strict=True):
        if name in words:
            column, word = words[name]
            inputs.append((np.asarray(given[column], dtype=object) == word).astype(np.float64))
        else:
            inputs.append(np.asarray(given[name], dtype=np.float64) if name in given else np.full(rows, low))
    return torch.from_numpy(np.stack(inputs, 1))
