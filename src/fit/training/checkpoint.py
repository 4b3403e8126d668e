"""Checkpoints: one member of a stack, so that it goes on bitwise as if it had never stopped."""

import io
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypedDict

import torch
from torch import Tensor

from fit.data.scalers import Scaler
from fit.errors import FitError
from fit.folder import write_atomically
from fit.model.stack import Stack

FORMAT = 2


class Checkpoint(TypedDict):
    """What a checkpoint holds: plain numbers, strings, lists, dicts and tensors, so that loading runs nothing."""

    format: int
    epoch: int
    step: int
    seconds: float
    diverged_epoch: int | None
    best_epoch: int
    best_loss: float
    look: dict[str, float]
    sizes: list[int]
    theta: Tensor
    optimizer: dict[str, Tensor | float | int | None]
    generators: dict[str, Tensor]
    input_scaler: dict[str, Tensor]
    target_scaler: dict[str, Tensor]
    inputs: list[str]
    targets: list[str]
    categories: dict[str, list[str]]
    low: Tensor
    high: Tensor
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
    try:
        with zipfile.ZipFile(path) as archive:  # torch does not look whether what it reads is what was written
            if archive.testzip() is not None:
                raise damaged
        checkpoint: Checkpoint = torch.load(path, map_location="cpu", weights_only=True)
        whole = checkpoint["format"] == FORMAT and set(checkpoint) >= set(Checkpoint.__annotations__)
        sound = whole and isinstance(checkpoint["theta"], Tensor) and min(checkpoint["epoch"], checkpoint["step"]) >= 0
    except Exception:  # whatever unpickling may make of a file that is not one of ours
        raise damaged from None
    if not sound:
        raise damaged
    return checkpoint


def stored_epoch(path: Path) -> int:
    """Return the epoch of a checkpoint; -1 where there is none that can be read."""
    try:
        return load(path)["epoch"] if path.exists() else -1
    except FitError:
        return -1


def predictor(checkpoint: Checkpoint) -> Callable[[Tensor], Tensor]:
    """Return the network of a checkpoint, from inputs `[rows, inputs]` to targets `[rows, targets]`, in own units."""
    model = checkpoint["config"]["model"]
    stack = Stack(
        checkpoint["theta"].unsqueeze(0),
        checkpoint["sizes"],
        model["activation"],
        model["output_activation"],
        bias=model["bias"],
    )
    inputs, targets = Scaler(**checkpoint["input_scaler"]), Scaler(**checkpoint["target_scaler"])

    def predict(values: Tensor) -> Tensor:
        """Scale, compute, scale back."""
        with torch.no_grad():
            outputs = stack(inputs.transform(values).to(checkpoint["theta"]).unsqueeze(0))[0]
        return targets.inverse_transform(outputs.double())

    return predict
