"""From the columns that a person gives to the inputs of a fitted function."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from fit.predict.predictor import Predictor


def input_columns(predictor: Predictor) -> list[str]:
    """Return what columns there are to give: the inputs, and the text columns instead of their words."""
    said = word_inputs(predictor)
    return list(dict.fromkeys(said[name][0] if name in said else name for name in predictor.inputs))


def required_columns(predictor: Predictor) -> list[str]:
    """Return the columns that must be given: all but those that were constant in training."""
    ranges = zip(predictor.low.tolist(), predictor.high.tolist(), strict=True)
    constant = {name for name, (low, high) in zip(predictor.inputs, ranges, strict=True) if low == high}
    return [name for name in input_columns(predictor) if name not in constant]


def word_inputs(predictor: Predictor) -> dict[str, tuple[str, str]]:
    """Return the text column and the word that an input is, by its name."""
    return {f"{column}={word}": (column, word) for column, each in predictor.categories.items() for word in each}


def encode_inputs(
    predictor: Predictor, given: Mapping[str, np.ndarray | Sequence[str] | Sequence[float]], rows: int = 1
) -> Tensor:
    """Return the inputs `[rows, inputs]` of columns of numbers and words; a column not given is as in training."""
    said, inputs = word_inputs(predictor), []
    for name, low in zip(predictor.inputs, predictor.low.tolist(), strict=True):
        if name in said:
            column, word = said[name]
            inputs.append((np.asarray(given[column], dtype=object) == word).astype(np.float64))
        else:
            inputs.append(np.asarray(given[name], dtype=np.float64) if name in given else np.full(rows, low))
    return torch.from_numpy(np.stack(inputs, 1))
