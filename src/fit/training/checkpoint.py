"""Checkpoints: one member of a stack, so that it goes on bitwise as if it had never stopped."""

import io
from collections.abc import Callable, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, TypedDict, cast

import torch
from omegaconf import OmegaConf
from torch import Tensor

from fit.data.problem import Problem
from fit.data.scalers import Scaler
from fit.errors import FitError
from fit.folder import write_atomically
from fit.model.architecture import Architecture, architecture
from fit.settings.resume import is_whole
from fit.settings.trust import UntrustedError, names_code

FORMAT = 4
# Rows that are computed at once: the values of all layers are held for them.
ROWS = 2**14


class Checkpoint(TypedDict):
    """What a checkpoint holds: plain numbers, strings, lists, dicts and tensors, so that loading runs nothing."""

    format: int
    epoch: int
    step: int
    seconds: float
    diverged_epoch: int | None
    best_epoch: int
    best_loss: float
    evaluation: dict[str, float]
    sizes: list[int]
    theta: Tensor
    optimizer: dict[str, Tensor | float | int | None]
    generators: dict[str, Tensor]
    input_scaler: dict[str, Tensor]
    target_scaler: dict[str, Tensor]
    inputs: list[str]
    targets: list[str]
    categories: dict[str, list[str]]
    dates: list[str]  # inputs that are years, and dates in the table
    low: Tensor
    high: Tensor
    spread: Tensor  # standard deviation of the training targets, in their own units
    engine: str | None  # what computed the steps; None where it was not yet written down
    config: dict[str, Any]


def save(checkpoint: Checkpoint, path: Path) -> None:
    """Write a checkpoint; at any moment the file holds the old one or the new one, whole."""
    buffer = io.BytesIO()
    torch.save(checkpoint, buffer)
    write_atomically(path, buffer.getvalue())


def load(path: Path) -> Checkpoint:
    """Read a checkpoint; raise FitError if it is not one of ours."""
    damaged = FitError(
        f"{path} is not a checkpoint of fit, or is damaged: delete it and resume to train from the start."
    )
    if not is_whole(path):  # torch does not check that it reads what was written
        raise damaged
    try:
        checkpoint = upgraded(torch.load(path, map_location="cpu", weights_only=True))
        sound = is_sound(checkpoint)
    except MemoryError:
        raise
    except Exception:  # whatever unpickling may make of a file that is not one of ours
        raise damaged from None
    if not sound:
        raise damaged
    return checkpoint


def upgraded(stored: dict[str, Any]) -> Checkpoint:
    """Return a checkpoint of any version as this one would write it."""
    if stored["format"] == 3:
        stored |= {"format": FORMAT, "evaluation": stored.pop("look"), "dates": stored.get("dates", [])}
    return cast(Checkpoint, {"engine": None} | stored)


def check_rows(checkpoint: Checkpoint, problem: Problem, path: Path) -> None:
    """Raise FitError if a checkpoint is of other training rows than there are now, as where a table was changed."""
    inputs, targets = problem.train
    then = [*checkpoint["input_scaler"].values(), *checkpoint["target_scaler"].values()]
    then += [checkpoint["low"], checkpoint["high"], checkpoint["spread"]]
    now = [*problem.input_scaler, *problem.target_scaler]
    now += [inputs.amin(0), inputs.amax(0), targets.std(0, correction=0)]
    pairs = zip(then, now, strict=True)
    if not all(one.shape == other.shape and torch.allclose(one, other, rtol=1e-9, atol=0.0) for one, other in pairs):
        raise FitError(f"{path} was trained on other rows than its data have now: restore the data, or train anew.")


def is_sound(checkpoint: Checkpoint) -> bool:
    """Whether everything is there, of its kind, and of the sizes that the network has; what is not may raise, too."""
    sizes, theta, model = checkpoint["sizes"], checkpoint["theta"], read_model(checkpoint)
    whole = [checkpoint["epoch"], checkpoint["step"], checkpoint["best_epoch"], *sizes]
    numbers = [checkpoint["seconds"], checkpoint["best_loss"], *checkpoint["evaluation"].values()]
    inputs, targets, words = checkpoint["inputs"], checkpoint["targets"], checkpoint["categories"]
    lists = [inputs, targets, checkpoint["dates"], *words.values()]
    columns = [
        *((part, inputs) for part in (checkpoint["low"], checkpoint["high"], *Scaler(**checkpoint["input_scaler"]))),
        *((part, targets) for part in (checkpoint["spread"], *Scaler(**checkpoint["target_scaler"]))),
    ]
    return (
        checkpoint["format"] == FORMAT
        and all(type(each) is int and each >= 0 for each in whole)
        and all(type(each) in (int, float) for each in numbers)
        and type(checkpoint["diverged_epoch"]) in (int, type(None))
        and type(checkpoint["engine"]) in (str, type(None))
        and all(isinstance(checkpoint[key], dict) for key in ("optimizer", "generators"))
        and min(sizes) > 0
        and (len(inputs), len(targets)) == (sizes[0], sizes[-1])
        and all(isinstance(each, list) for each in lists)
        and all(isinstance(each, str) for each in (*words, *chain(*lists)))
        and all(part.dtype == torch.float64 and part.shape == (len(names),) for part, names in columns)
        and theta.dtype in (torch.float32, torch.float64)
        and theta.dim() == 1
        and is_of_its_model(theta, model, sizes)
    )


def is_of_its_model(theta: Tensor, model: Mapping[str, Any], sizes: Sequence[int]) -> bool:
    """Whether weights are as many as a model has; one whose activation is not there raises.

    What names code is not asked: that would run the code.
    """
    if names_code(model):
        return True
    shape = architecture(model, sizes[0], sizes[-1])
    shape.stack(theta.unsqueeze(0))
    return theta.shape == (shape.parameters,)


def read_model(checkpoint: Checkpoint) -> dict[str, Any]:
    """Return the settings of a checkpoint's model, references resolved."""
    model = checkpoint["config"]["model"]
    if "${" in str(model):
        model = OmegaConf.to_container(OmegaConf.create(checkpoint["config"]).model, resolve=True)
    return dict(model)


def model_of(checkpoint: Checkpoint) -> Architecture:
    """Return the shape of a checkpoint's network; of a user's own code that runs it."""
    return architecture(read_model(checkpoint), checkpoint["sizes"][0], checkpoint["sizes"][-1])


def diverged(checkpoint: Checkpoint) -> bool:
    """Whether the loss had stopped being finite, so that the network predicts nothing of worth."""
    return checkpoint["diverged_epoch"] is not None or not bool(checkpoint["theta"].isfinite().all())


def stored_epoch(path: Path) -> int:
    """Return the epoch of a checkpoint; -1 where there is none that can be read."""
    try:
        return load(path)["epoch"] if path.exists() else -1
    except FitError:
        return -1


def predictor(checkpoint: Checkpoint, trust: bool = False) -> Callable[[Tensor], Tensor]:
    """Return the network of a checkpoint, from inputs `[rows, inputs]` to targets `[rows, targets]`, in own units.

    Raises UntrustedError where the model names code of a user's own, unless `trust`: building it runs that code.
    """
    model, theta = read_model(checkpoint), checkpoint["theta"]
    if not trust and (code := names_code(model)):
        raise UntrustedError(f"The network is made by {code}: if you trust it, give --trust (in Python, trust=True).")
    stack = model_of(checkpoint).stack(theta.unsqueeze(0))
    inputs, targets = Scaler(**checkpoint["input_scaler"]), Scaler(**checkpoint["target_scaler"])

    def predict(values: Tensor) -> Tensor:
        """Scale, compute, scale back, part by part."""
        with torch.no_grad():
            scaled = (inputs.transform(part).to(theta) for part in torch.split(values, ROWS))
            outputs = torch.cat([stack(part.unsqueeze(0))[0] for part in scaled])
        return targets.inverse_transform(outputs.double())

    return predict
