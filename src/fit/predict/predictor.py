"""The fitted function of a run folder, ready to be used; reading it runs nothing that the folder brings along."""

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
    """A fitted function and what its columns are.

    A text column is one of the inputs `COLUMN=WORD` for each of its `categories`, and `dates` are given in years. `low`
    and `high` are the range of the inputs `[inputs]` that were trained on, `text` is what was said of how their table
    is written; of what has `diverged` the answers mean nothing.
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
        """Return the targets `[rows, targets]` at inputs `[rows, inputs]`, and the standard deviation of the answers.

        Several networks answer by their mean; of a single one there is no deviation.
        """
        answers = torch.stack([network(inputs) for network in self.networks])
        return answers.mean(0), answers.std(0) if len(answers) > 1 else None

    def outside(self, inputs: Tensor) -> Tensor:
        """Return which rows `[rows]` lie outside the range that was trained on, so that the answer extrapolates."""
        return ((inputs < self.low) | (inputs > self.high)).any(1)


def load_predictor(path: str | Path, which: str = "last", trust: bool = False) -> Predictor:
    """Read the fitted function of a run folder, of its `last` or `best` checkpoint; raise FitError if there is none.

    Raises UntrustedError for a network that is made by code of a user's own, unless that is to be run (`trust`).
    """
    folders = [replica.path for replica in RunFolder(path).replicas] or [Path(path)]
    checkpoints = [load_checkpoint(each, which) for each in folders]
    first = checkpoints[0]
    if any(each[key] != first[key] for each in checkpoints for key in ("inputs", "targets", "categories", "dates")):
        raise FitError(f"{path} holds networks of different columns: one of them was changed.")
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
    """Return how the table that was trained on is written, as far as its settings say so and can be."""
    data, known = checkpoint["config"].get("data"), {}
    for name in Dialect._fields:
        value = data.get(name) if isinstance(data, dict) else None
        if value is not None and RULES[f"data.{name}"].test(value):
            known[name] = value
    return Dialect(**known)


def load_checkpoint(path: str | Path, which: str = "last") -> Checkpoint:
    """Read one of a run's checkpoints; raise FitError if there is none."""
    folder = RunFolder(path)
    if which not in CHECKPOINTS:
        raise FitError(f"checkpoint={which} is not allowed: give {' or '.join(CHECKPOINTS)}.")
    file = {"last": folder.last, "best": folder.best}[which]
    if folder.replicas:
        raise FitError(f"{path} holds {len(folder.replicas)} networks: give one of them, such as {path}/members/0.")
    if not file.is_file():
        raise FitError(f"{path} is not a run folder that was trained: there is no {file}.")
    return load(file)
