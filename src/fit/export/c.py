"""A C header that needs only libm."""

import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from textwrap import fill, indent

import numpy as np
from torch import Tensor

from fit.errors import FitError
from fit.export.network import DenseLayer, ExportNetwork, Numbers, written_out

COMPILERS = ("cc", "gcc", "clang")
FLAGS = ("-std=c99", "-Wall", "-Wextra", "-pedantic", "-O1")

FILE = """/* A fitted function: {name}_predict needs libm alone.

{description}
*/
#ifndef {guard}
#define {guard}

#include <math.h>
#include <stddef.h>

{activations}

/* sums[outputs] = values[inputs] times weight[inputs][outputs], plus what the sums begin with. */
static inline void {name}_add_product(const double *values, int inputs, const double *weight, int outputs, double *sums)
{{
    int i, j;
    for (i = 0; i < inputs; i++)
        for (j = 0; j < outputs; j++)
            sums[j] += values[i] * weight[i * outputs + j];
}}

/* One row: inputs[{inputs}] to targets[{targets}], in their own units. */
static inline void {name}_predict(const double *inputs, double *targets)
{{
{constants}
    double values[{widest}], sums[{widest}];
    int i;
    for (i = 0; i < {inputs}; i++)
        values[i] = (inputs[i] - input_center[i]) * input_factor[i];
{layers}
    for (i = 0; i < {targets}; i++)
        targets[i] = values[i] / target_factor[i] + target_center[i];
}}

/* Any number of rows, one after the other: inputs[rows][{inputs}] to targets[rows][{targets}]. */
static inline void {name}_predict_rows(const double *inputs, size_t rows, double *targets)
{{
    size_t row;
    for (row = 0; row < rows; row++)
        {name}_predict(inputs + row * {inputs}, targets + row * {targets});
}}

#endif
"""

LAYER = """
    for (i = 0; i < {outputs}; i++)
        sums[i] = {start};
    {name}_add_product(values, {inputs}, weight_{index}, {outputs}, sums);
    for (i = 0; i < {outputs}; i++)
        values[i] = {name}_{activation}(sums[i]);"""

CHECK = """
#include <stdio.h>
#include "{header}"

int main(int count, char **paths)
{{
    static double inputs[{rows} * {inputs} + 1], targets[{rows} * {targets} + 1];
    FILE *source = fopen(paths[1], "rb"), *sink = fopen(paths[2], "wb");
    size_t rows = fread(inputs, sizeof(double) * {inputs}, {rows}, source);
    {name}_predict_rows(inputs, rows, targets);
    fwrite(targets, sizeof(double) * {targets}, rows, sink);
    return count - 3 + fclose(sink);
}}
"""


def write(network: ExportNetwork, path: Path) -> None:
    """Write the header; its functions are named after the file."""
    name = path.stem
    used = written_out(network, "c", lambda activation: activation.c)
    function = "static inline double {}_{}(double x)\n{{\n    return {};\n}}"
    text = FILE.format(
        name=name,
        guard=f"{name.upper()}_PREDICT_H",
        # Whatever a column is called, it must not end the comment.
        description="\n".join(network.describe()).replace("*/", "* /").replace("/*", "/ *").replace("??/", "?? /"),
        activations="\n\n".join(function.format(name, each, text) for each, text in used.items()),
        inputs=len(network.inputs),
        targets=len(network.targets),
        widest=max(max(layer.weight.shape) for layer in network.layers),
        constants=indent("\n".join(format_constants(network)), " " * 4),
        layers="".join(format_layer(name, index, layer) for index, layer in enumerate(network.layers, 1)),
    )
    path.write_text(text, encoding="utf-8")


def format_layer(name: str, index: int, layer: DenseLayer) -> str:
    """Return the C code of a layer."""
    inputs, outputs = layer.weight.shape
    start = "0" if layer.bias is None else f"bias_{index}[i]"
    return LAYER.format(
        name=name, index=index, inputs=inputs, outputs=outputs, start=start, activation=layer.activation
    )


def format_constants(network: ExportNetwork) -> Iterator[str]:
    """Yield the C code of all arrays."""
    for side, scaler in (("input", network.input_scaler), ("target", network.target_scaler)):
        yield format_array(f"{side}_center", scaler.center)
        yield format_array(f"{side}_factor", scaler.factor)
    for index, layer in enumerate(network.layers, 1):
        yield format_array(f"weight_{index}", layer.weight)
        if layer.bias is not None:
            yield format_array(f"bias_{index}", layer.bias)


def format_array(name: str, values: Tensor) -> str:
    """Return the C code of an array, with enough digits for exact doubles."""
    digits = fill(", ".join(map(repr, values.double().flatten().tolist())), 108, break_on_hyphens=False)
    return f"static const double {name}[{values.numel()}] = {{\n{indent(digits, ' ' * 4)}\n}};"


def predict(network: ExportNetwork, path: Path, samples: Sequence[Numbers]) -> list[Numbers] | str:
    """Compile and run the header; return a reason without a compiler, raise FitError if it fails."""
    compiler = next((found for found in map(shutil.which, COMPILERS) if found), None)
    if compiler is None:
        return f"there is no C compiler ({', '.join(COMPILERS)})"
    sizes = {"inputs": len(network.inputs), "targets": len(network.targets), "rows": max(map(len, samples))}
    with TemporaryDirectory() as folder:
        main, program, source, sink = (Path(folder, each) for each in ("main.c", "main", "inputs", "targets"))
        main.write_text(CHECK.format(header=path.resolve().as_posix(), name=path.stem, **sizes), encoding="utf-8")
        run_program([compiler, *FLAGS, "-o", str(program), str(main), "-lm"])
        predictions = []
        for each in samples:
            each.tofile(source)
            run_program([str(program), str(source), str(sink)])
            predictions.append(np.fromfile(sink).reshape(-1, len(network.targets)))
        return predictions


def run_program(command: list[str]) -> None:
    """Run a command; raise FitError if it fails or writes to standard error."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode or done.stderr:
        message = (done.stderr.splitlines() or [f"exit code {done.returncode}"])[0]
        raise FitError(f"The C header cannot be compiled and run, so it was not written: {message}.")


def usage(network: ExportNetwork, path: Path) -> str:
    """Return one line on how to use the file."""
    return f'#include "{path.name}", {path.stem}_predict(inputs, targets) for a row of doubles; needs libm (-lm)'
