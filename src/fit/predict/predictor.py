"""The fitted function of a run folder; reading it runs no code that the folder contains."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from fit.data.table.dialect import Dialect
from fit.errors import FitError
from fit.folder import RunFolder
from fit.settings.rules import RULES
from fit.training.checkpoint import Checkpoint, diverged, load, predictor

CHECKPOINTS = ("last", "best")


@dataclass(frozen=True)
class Predictor:
    """A fitted function, from inputs to targets in the data's own units.

    `inputs` and `targets` name the columns. A text column is one input `COLUMN=WORD` of 0 and 1 for each of its words,
    which `categories` lists; the inputs `dates` are numbers of years. `low` and `high` `[inputs]` are the range of the
    training rows, `dialect` is how their table is written. Several `networks` form an ensemble. If one has `diverged`,
    its predictions are meaningless.
    """

    inputs: tuple[str, ...]
    targets: tuple[str, ...]
    categories: Mapping[str, tuple[str, ...]]
    dates: tuple[str, ...]
    low: Tensor
    high: Tensor
    networks: Sequence[Callable[[Tensor], Tensor]]
    dialect: Dialect
    diverged: bool = False

    def __call__(self, inputs: Tensor) -> tuple[Tensor, Tensor | None]:
        """Return the mean and the standard deviation of the networks' predictions for inputs `[rows, inputs]`, float64.

        Both are `[rows, targets]`, float64; a single network has no deviation, None.
        """
        predictions = torch.stack([network(inputs) for network in self.networks])
        return predictions.mean(0), predictions.std(0) if len(predictions) > 1 else None

    def outside(self, inputs: Tensor) -> Tensor:
        """Return which rows `[rows]` lie outside the range of the training rows, so that predictions extrapolate."""
        return ((inputs < self.low) | (inputs > self.high)).any(1)


def load_predictor(path: str | Path, which: str = "last", trust: bool = False) -> Predictor:
    """Read the fitted function of a run folder, of its `last` or `best` checkpoint; raise FitError if there is none.

    Raises UntrustedError for a network that is made by code of a user's own, unless that is to be run (`trust`).
    """
    folders = [replica.path for replica in RunFolder(path).replicas] or [Path(path)]
    checkpoints = [load_checkpoint(each, which) for each in folders]
    first = checkpoints[0]
    if any(each[key] != first[key] for each in checkpoints for key in ("inputs", "targets", "categories", "dates")):
        raise FitError(f"{path} holds networks with different columns: one of them was changed.")
    categories = {column: tuple(words) for column, words in first["categories"].items()}
    low = torch.stack([each["low"] for each in checkpoints]).amin(0)
    high = torch.stack([each["high"] for each in checkpoints]).amax(0)
    return Predictor(
        tuple(first["inputs"]),
        tuple(first["targets"]),
        categories,
        tuple(first["dates"]),
        low,
        high,
        networks=[predictor(each, trust) for each in checkpoints],
        dialect=read_dialect(first),
        diverged=any(map(diverged, checkpoints)),
    )


def read_dialect(checkpoint: Checkpoint) -> Dialect:
    """Return the dialect of the training table, as far as its settings are given and valid."""
    data, known = checkpoint["config"].get("data"), {}
    for name in Dialect._fields:
        value = data.get(name) if isinstance(data, dict) else None
        if value is not None and RULES[f"data.{name}"].test(value):
            known[name] = value
    return Dialect(**known)


def load_checkpoint(path: str | Path, which: str = "last") -> Checkpoint:
    """Read the `last` or `best` checkpoint of a single run; raise FitError if there is none."""
    folder = RunFolder(path)
    if which not in CHECKPOINTS:
        raise FitError(f"checkpoint={which} is not allowed: give {' or '.join(CHECKPOINTS)}.")
    file = {"last": folder.last, "best": folder.best}[which]
    if folder.replicas:
        raise FitError(f"{path} holds {len(folder.replicas)} networks: give one of them, such as {path}/members/0.")
    if not file.is_file():
        raise FitError(f"{path} is not a run folder that was trained: there is no {file}.")
    return load(file)
