"""The fitted function of a run folder, ready to be used; reading it runs nothing that the folder brings along."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from fit.errors import FitError
from fit.folder import RunFolder
from fit.training.checkpoint import Checkpoint, load, predictor

CHECKPOINTS = ("last", "best")


@dataclass(frozen=True)
class Predictor:
    """A fitted function and what its columns are.

    A text column is one of the inputs `COLUMN=WORD` for each of its `categories`. `low` and `high` are the range of the
    inputs `[inputs]` that were trained on.
    """

    inputs: tuple[str, ...]
    targets: tuple[str, ...]
    categories: Mapping[str, tuple[str, ...]]
    low: Tensor
    high: Tensor
    function: Callable[[Tensor], Tensor]

    def __call__(self, inputs: Tensor) -> tuple[Tensor, Tensor | None]:
        """Return the targets at inputs `[rows, inputs]` and their standard deviation, None for a single network."""
        return self.function(inputs), None

    def outside(self, inputs: Tensor) -> Tensor:
        """Return which rows `[rows]` lie outside the range that was trained on, so that the answer extrapolates."""
        return ((inputs < self.low) | (inputs > self.high)).any(1)


def load_predictor(path: str | Path, which: str = "last") -> Predictor:
    """Read the fitted function of a run folder, of its `last` or `best` checkpoint; raise FitError if there is none."""
    checkpoint = load_checkpoint(path, which)
    categories = {column: tuple(words) for column, words in checkpoint["categories"].items()}
    names = tuple(checkpoint["inputs"]), tuple(checkpoint["targets"])
    return Predictor(*names, categories, checkpoint["low"], checkpoint["high"], predictor(checkpoint))


def load_checkpoint(path: str | Path, which: str = "last") -> Checkpoint:
    """Read one of a run's checkpoints; raise FitError if there is none."""
    folder = RunFolder(path)
    if which not in CHECKPOINTS:
        raise FitError(f"checkpoint={which} is not allowed: give {' or '.join(CHECKPOINTS)}.")
    file = {"last": folder.last, "best": folder.best}[which]
    if not file.is_file():
        raise FitError(f"{path} is not a run folder that was trained: there is no {file}.")
    return load(file)
