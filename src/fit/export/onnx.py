"""An ONNX model, for onnxruntime and other ONNX runtimes."""

import json
import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch

from fit.catalog.activations import ACTIVATIONS
from fit.errors import FitError, missing_extra
from fit.export.network import ExportNetwork, Numbers
from fit.export.pt2 import DYNAMIC_ROWS, UnscaledNetwork, example_inputs
from fit.model.functions import find_activation

# What onnxruntime computes in float32 only is written out in float64.
WRITTEN_OUT = {name: each.written_out(torch) for name, each in ACTIVATIONS.items() if each.written_out is not None}


def write(network: ExportNetwork, path: Path) -> None:
    """Write the model; raise FitError if packages are missing, or onnxruntime lacks an activation in float64."""
    try:
        import onnx
        import onnxruntime  # noqa: F401
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise missing_extra("--format onnx", "onnx", error) from None
    double = network.dtype == torch.float64
    lacks = next((each.activation for each in network.layers if not find_activation(each.activation).in_float64), None)
    if double and lacks is not None:
        raise FitError(
            f"--format onnx is not allowed for {lacks} in float64, which onnxruntime lacks: give another format."
        )
    program = translate(UnscaledNetwork(network, WRITTEN_OUT if double else {}), network)
    model = program.model_proto
    for node in model.graph.node:  # would contain this machine's paths
        del node.metadata_props[:]
    columns = {"inputs": network.inputs, "targets": network.targets, "categories": network.categories}
    columns |= {"dates": network.dates} if network.dates else {}
    ranges = {"low": network.low.tolist(), "high": network.high.tolist()}
    texts = {key: json.dumps(value, ensure_ascii=False) for key, value in (columns | ranges).items()}
    onnx.helper.set_model_props(model, texts | {"description": "\n".join(network.describe())})
    onnx.save(model, path)


def translate(module: UnscaledNetwork, network: ExportNetwork) -> torch.onnx.ONNXProgram:
    """Have torch write a network in ONNX's operations; raise FitError where code of a user's own has none."""
    try:
        with silence():
            program = torch.onnx.export(
                module,
                (example_inputs(network),),
                dynamic_shapes=DYNAMIC_ROWS,
                dynamo=True,
                verbose=False,
                input_names=["inputs"],
                output_names=["targets"],
            )
    except torch.onnx.errors.OnnxExporterError as error:
        reason = str(error).strip().splitlines()[0]
        raise FitError(f"--format onnx is not possible with this network ({reason}): give --format pt2.") from None
    assert program is not None
    return program


@contextmanager
def silence() -> Iterator[None]:
    """Suppress warnings and logging: the exporter reports on its own internals, about which users can do nothing."""
    disabled = logging.root.manager.disable
    logging.disable(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(disabled)


def predict(network: ExportNetwork, path: Path, samples: Sequence[Numbers]) -> list[Numbers]:
    """Load the model and run it."""
    from onnxruntime import InferenceSession

    session = InferenceSession(path, providers=["CPUExecutionProvider"])
    return [session.run(["targets"], {"inputs": each})[0] for each in samples]


def usage(network: ExportNetwork, path: Path) -> str:
    """Return one line on how to use the file."""
    call = f'onnxruntime.InferenceSession("{path.name}").run(None, {{"inputs": inputs}})[0]'
    return f"{call}, float64 [rows, {len(network.inputs)}]"
