"""The network of a run as plain layers, its description, and the comparison of an export with the run."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from fit.catalog.activations import Activation
from fit.data.scalers import Scaler
from fit.data.table.dialect import YEARS
from fit.errors import FitError
from fit.folder import RunFolder
from fit.messages import ends
from fit.model.architecture import MLP
from fit.model.functions import find_activation
from fit.model.own_module import OwnModule
from fit.predict.predictor import load_checkpoint
from fit.training.checkpoint import Checkpoint, diverged, model_of, predictor

Numbers = NDArray[np.float64]

# Rows to compare an export on, and the tolerances: the last bits differ between libraries.
SAMPLE_ROWS = 1000
ROUNDING_ERRORS = 16
TOLERANCE = {torch.float32: 1e-4, torch.float64: 1e-9}


class DenseLayer(NamedTuple):
    """A dense layer: weight `[inputs, outputs]`, bias `[outputs]` or None, and the name of its activation."""

    weight: Tensor
    bias: Tensor | None
    activation: str


class ExportNetwork(NamedTuple):
    """A run's network: scaled in float64, computed in `dtype`, scaled back in float64.

    It is computed layer by layer, or, where there are no `layers`, as the mean of `modules` of a user's own.
    """

    source: str
    inputs: Sequence[str]
    targets: Sequence[str]
    categories: dict[str, list[str]]
    dates: list[str]
    low: Tensor
    high: Tensor
    input_scaler: Scaler
    target_scaler: Scaler
    spread: Tensor
    layers: Sequence[DenseLayer]
    modules: Sequence[nn.Module]
    dtype: torch.dtype
    function: Callable[[Tensor], Tensor]

    def describe(self) -> list[str]:
        """Return lines that describe the columns, their training range, and where the network is from."""
        ranges = zip(self.inputs, self.low.tolist(), self.high.tolist(), strict=True)
        lines = [
            "Inputs, in this order and each in its own unit, with their training range:",
            *(f"  {name}: {' to '.join(ends(low, high, 6))}" for name, low, high in ranges),
            "Targets, in this order and each in its own unit:",
            *(f"  {name}" for name in self.targets),
        ]
        for column, words in self.categories.items():
            columns = " or ".join(f"{column}={word}" for word in words)
            lines.append(
                f"The text column {column} is given as numbers: 1 for the one of {columns} that applies, else 0."
            )
        lines += [f"The date {column} is given in {YEARS}." for column in self.dates]
        lines.append(f"Made by python -m fit.export from {self.source}.")
        return ["".join(letter if letter.isprintable() else "?" for letter in line) for line in lines]


class Format(Protocol):
    """A module that writes a network as a file, runs that file, and explains how to use it."""

    def write(self, network: ExportNetwork, path: Path) -> None:
        """Write the network into a new file; raise FitError if the format cannot hold it."""

    def predict(self, network: ExportNetwork, path: Path, samples: Sequence[Numbers]) -> Iterable[Numbers] | str:
        """Load the file and predict each of the samples `[rows, inputs]`, float64; return arrays `[rows, targets]`.

        Return the reason, as text, if such a file cannot be run on this machine; raise FitError if it fails.
        """

    def usage(self, network: ExportNetwork, path: Path) -> str:
        """Return one line on how to use the file."""


def read_network(folder: Path, which: str, trust: bool = False) -> ExportNetwork:
    """Read the network of a run, of an ensemble the one that answers the mean of its networks.

    Raises FitError if there is none, if one has diverged, or if networks of several were trained on other data, and
    UntrustedError for code of a user's own unless that is to be run (`trust`).
    """
    folders = [replica.path for replica in RunFolder(folder).replicas] or [folder]
    checkpoints = [load_checkpoint(each, which) for each in folders]
    for each, stored in zip(folders, checkpoints, strict=True):
        if diverged(stored):
            raise FitError(f"The {which} checkpoint of {each} has diverged: give another run, or --checkpoint best.")
    checkpoint, parts = checkpoints[0], [predictor(each, trust) for each in checkpoints]
    if not all(have_same_form(checkpoint, each) for each in checkpoints):
        raise FitError(
            f"{folder} holds networks trained on different rows (folds): give one of them, such as {folders[0]}."
        )
    epochs = ", ".join(dict.fromkeys(str(each["epoch"]) for each in checkpoints))
    mean = f", mean of {len(parts)} networks" if len(parts) > 1 else ""
    return ExportNetwork(
        source=f"{folder}, {which} checkpoint, epoch {epochs}{mean}",
        inputs=checkpoint["inputs"],
        targets=checkpoint["targets"],
        categories=checkpoint["categories"],
        dates=checkpoint["dates"],
        low=checkpoint["low"],
        high=checkpoint["high"],
        input_scaler=Scaler(**checkpoint["input_scaler"]),
        target_scaler=Scaler(**checkpoint["target_scaler"]),
        spread=checkpoint["spread"],
        layers=join_layers([read_layers(each) for each in checkpoints]) if len(parts) > 1 else read_layers(checkpoint),
        modules=[module for each in checkpoints for module in read_modules(each)],
        dtype=checkpoint["theta"].dtype,
        function=lambda inputs: torch.stack([part(inputs) for part in parts]).mean(0),
    )


def have_same_form(one: Checkpoint, other: Checkpoint) -> bool:
    """Whether two networks have the same shape, columns and scalers."""
    scalers = ((one["input_scaler"], other["input_scaler"]), (one["target_scaler"], other["target_scaler"]))
    return (
        one["sizes"] == other["sizes"]
        and all(torch.equal(one[key], other[key]) for key in ("low", "high", "spread"))
        and all(torch.equal(first[key], second[key]) for first, second in scalers for key in first)
        and all(one[key] == other[key] for key in ("inputs", "targets", "categories", "dates"))
    )


def join_layers(networks: Sequence[Sequence[DenseLayer]]) -> list[DenseLayer]:
    """Return the layers of one network that answers the mean of some of the same shape, side by side in it."""
    joined: list[DenseLayer] = []
    if not networks[0]:
        return joined
    for number, layers in enumerate(zip(*networks, strict=True)):
        weights = [layer.weight for layer in layers]
        biases = [layer.bias for layer in layers if layer.bias is not None]
        # All networks share the inputs of the first layer; later layers are block-diagonal.
        weight = torch.block_diag(*weights) if number else torch.cat(weights, 1)  # type: ignore[no-untyped-call]
        joined.append(DenseLayer(weight, torch.cat(biases) if biases else None, layers[0].activation))
    last, count = networks[0][-1], len(networks)
    mean = torch.eye(last.weight.shape[1], dtype=last.weight.dtype).repeat(count, 1) / count
    if not find_activation(last.activation).affine:
        return [*joined, DenseLayer(mean, None, "identity")]
    weight, bias, _ = joined[-1]
    joined[-1] = DenseLayer(weight @ mean, None if bias is None else bias @ mean, "identity")
    return joined


def read_layers(checkpoint: Checkpoint) -> list[DenseLayer]:
    """Return the layers of a checkpoint, first to last; none of a module of a user's own."""
    model, theta = model_of(checkpoint), checkpoint["theta"].unsqueeze(0)
    if not isinstance(model, MLP):
        return []
    names = [*[model.activation] * len(model.hidden), model.output_activation]
    return [
        DenseLayer(weight[0].clone(), None if bias is None else bias[0, 0].clone(), name)
        for (weight, bias), name in zip(model.stack(theta).layers(theta), names, strict=True)
    ]


def read_modules(checkpoint: Checkpoint) -> list[nn.Module]:
    """Return the module of a user's own, with its weights, that a checkpoint is of, if it is."""
    model = model_of(checkpoint)
    return [model.module_with(checkpoint["theta"])] if isinstance(model, OwnModule) else []


def written_out(network: ExportNetwork, kind: str, text: Callable[[Activation], str | None]) -> dict[str, str]:
    """Return each activation of a network as `text` writes it.

    Raises FitError, for the format `kind`, where a module or function of a user's own cannot be written.
    """
    if not network.layers:
        raise FitError(f"--format {kind} writes layers, which a module of your own does not name: give pt2 or onnx.")
    texts = {layer.activation: text(find_activation(layer.activation)) for layer in network.layers}
    lacking = next((name for name, each in texts.items() if each is None), None)
    if lacking is not None:
        raise FitError(f"--format {kind} is not possible with {lacking}, a function of your own: give pt2 or onnx.")
    return {name: str(each) for name, each in texts.items()}


def draw_samples(network: ExportNetwork) -> list[Numbers]:
    """Return samples of many rows, one row and none, `[rows, inputs]`, from the training range, its ends included."""
    part = torch.rand(SAMPLE_ROWS, len(network.inputs), generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    part[0], part[1] = 0, 1
    many = (network.low + part * (network.high - network.low)).numpy()
    return [many, many[:1], many[:0]]


def largest_difference(network: ExportNetwork, samples: Sequence[Numbers], predictions: Iterable[Numbers]) -> float:
    """Return the largest difference of predictions from the run's, in standard deviations of the target.

    Raises FitError if it is larger than rounding differences, or if the run's own predictions are not finite.
    """
    truth = [network.function(torch.from_numpy(each)) for each in samples]
    if not truth[0].isfinite().all():
        raise FitError(f"The network of {network.source} gives predictions that are not finite: give another run.")
    # The deviation of the training rows, even if the predictions hardly vary; of a constant target, its size.
    spread = torch.maximum(truth[0].std(0, correction=0), network.spread)
    spread = torch.where(network.spread == 0, truth[0].square().mean(0).sqrt(), spread).clamp(min=1e-300)
    largest = 0.0
    for true, predicted in zip(truth, map(torch.from_numpy, predictions), strict=True):
        if predicted.shape != true.shape:
            raise FitError(
                f"The export predicts shape {list(predicted.shape)}, not {list(true.shape)}: it was not written."
            )
        differences = (predicted - true).abs() / spread
        # On top of the tolerance: rounding of a target far from zero that was not centered.
        computed = (true - network.target_scaler.center).abs()
        parts = ((torch.float64, true.abs()), (network.dtype, computed))
        rounding = sum(ROUNDING_ERRORS * torch.finfo(dtype).eps * size / spread for dtype, size in parts)
        worst = differences.max().item() if len(differences) else 0.0
        if not (differences <= TOLERANCE[network.dtype] + rounding).all():
            raise FitError(
                f"The export differs from the run by {worst:.2g} of a target's standard deviation, more than "
                f"{TOLERANCE[network.dtype]:g}: it was not written."
            )
        largest = max(largest, worst)
    return largest
