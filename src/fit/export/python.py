"""A Python file that needs only NumPy."""

import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from textwrap import fill, indent

import numpy as np
from torch import Tensor

from fit.errors import FitError
from fit.export.network import DenseLayer, ExportNetwork, Numbers, written_out

FILE = '''"""A fitted function: predict(inputs) needs NumPy alone."""

import math

import numpy as np


def predict(inputs):
    """Return the targets [rows, {targets}] at inputs [rows, {inputs}], or [{targets}] at a single row [{inputs}].

{description}
    """
    values = np.asarray(inputs, dtype=np.float64)
    if values.shape[-1:] != ({inputs},):
        raise ValueError(f"predict takes inputs of shape [rows, {inputs}], not {{list(values.shape)}}.")
    values = ((values - INPUT_CENTER) * INPUT_FACTOR).astype(DTYPE)
{layers}
    return values.astype(np.float64) / TARGET_FACTOR + TARGET_CENTER


DTYPE = np.{dtype}
{constants}
'''

# The file must not depend on what this process has imported: it runs in a separate interpreter.
CHECK = """
import runpy, sys
import numpy as np
predict = runpy.run_path(sys.argv[1])["predict"]
with np.load(sys.argv[2]) as samples:
    np.savez(sys.argv[3], *[predict(samples[name]) for name in samples.files])
"""


def write(network: ExportNetwork, path: Path) -> None:
    """Write the Python file."""
    # Whatever a column is called, it must not end the docstring.
    description = "\n".join(network.describe()).replace("\\", "\\\\").replace('"""', r"\"\"\"")
    used = written_out(network, "python", lambda activation: activation.numpy)
    text = FILE.format(
        targets=len(network.targets),
        inputs=len(network.inputs),
        description=indent(description, " " * 4),
        layers="\n".join(format_layer(index, layer, used) for index, layer in enumerate(network.layers, 1)),
        dtype=str(network.dtype).removeprefix("torch."),
        constants="\n".join(format_constants(network)),
    )
    if "math.erf" not in text:
        text = text.replace("import math\n\n", "", 1)
    path.write_text(text, encoding="utf-8")


def format_layer(index: int, layer: DenseLayer, used: Mapping[str, str]) -> str:
    """Return the code of a layer."""
    sums = f"values @ WEIGHT_{index}" + ("" if layer.bias is None else f" + BIAS_{index}")
    if used[layer.activation] == "sums":
        return f"    values = {sums}"
    return f"    sums = {sums}\n    values = {used[layer.activation]}"


def format_constants(network: ExportNetwork) -> Iterator[str]:
    """Yield the Python code of all arrays."""
    for side, scaler in (("INPUT", network.input_scaler), ("TARGET", network.target_scaler)):
        yield f"{side}_CENTER = np.array({format_numbers(scaler.center)}, dtype=np.float64)"
        yield f"{side}_FACTOR = np.array({format_numbers(scaler.factor)}, dtype=np.float64)"
    for index, layer in enumerate(network.layers, 1):
        shape = tuple(layer.weight.shape)
        yield f"WEIGHT_{index} = np.array({format_numbers(layer.weight)}, dtype=DTYPE).reshape{shape}"
        if layer.bias is not None:
            yield f"BIAS_{index} = np.array({format_numbers(layer.bias)}, dtype=DTYPE)"


def format_numbers(values: Tensor) -> str:
    """Format numbers with enough digits to be exact in their own precision."""
    digits = fill(", ".join(map(str, values.numpy().ravel())), 112, break_on_hyphens=False)
    return f"[\n{indent(digits, ' ' * 4)},\n]"


def predict(network: ExportNetwork, path: Path, samples: Sequence[Numbers]) -> list[Numbers]:
    """Run the file in a separate interpreter; raise FitError if it fails."""
    with TemporaryDirectory() as folder:
        source, sink = Path(folder, "inputs.npz"), Path(folder, "targets.npz")
        np.savez(source, *samples)
        command = [sys.executable, "-I", "-c", CHECK, str(path), str(source), str(sink)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            message = done.stderr.strip().rpartition("\n")[2]
            raise FitError(f"The Python file cannot be run, so it was not written: {message}.")
        with np.load(sink) as predictions:
            return [predictions[name] for name in predictions.files]


def usage(network: ExportNetwork, path: Path) -> str:
    """Return one line on how to use the file."""
    return f"from {path.stem} import predict; predict(inputs), [rows, {len(network.inputs)}]; needs NumPy"
