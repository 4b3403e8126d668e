"""Runs that nobody trained, and how their exports are asked."""

import runpy
import subprocess

import numpy as np
import onnxruntime
import torch

from fit.training.checkpoint import FORMAT, Checkpoint, save

C_FLAGS = ["-Wall", "-Wextra", "-pedantic", "-Werror"]
STRICT = {"main.c": ["gcc", "-std=c99", *C_FLAGS], "main.cpp": ["g++", "-std=c++11", *C_FLAGS]}
# Prints the targets of one row a line, and leaves the function for many rows unused: no compiler may mind.
C_MAIN = """
#include <stdio.h>
#include "%(stem)s.h"
int main(void) {
    double inputs[%(inputs)d], targets[%(targets)d];
    int i, read = 0;
    while (scanf("%%lf", &inputs[read]) == 1)
        if (++read == %(inputs)d) {
            %(stem)s_predict(inputs, targets);
            for (i = 0; i < %(targets)d; i++) printf("%%.17g ", targets[i]);
            read = 0;
        }
    return 0;
}
"""


def ask_pt2(path, inputs, targets):
    return torch.export.load(path).module()(torch.from_numpy(inputs)).numpy()


def ask_onnx(path, inputs, targets):
    return onnxruntime.InferenceSession(path).run(None, {"inputs": inputs})[0]


def ask_python(path, inputs, targets):
    return runpy.run_path(path)["predict"](inputs)


def ask_c(path, inputs, targets, source="main.c"):
    folder = path.parent
    (folder / source).write_text(C_MAIN % {"stem": path.stem, "inputs": inputs.shape[1], "targets": targets})
    subprocess.run([*STRICT[source], "-o", "main", source, "-lm"], cwd=folder, check=True)
    text = " ".join(map(repr, inputs.ravel().tolist()))
    done = subprocess.run([folder / "main"], input=text, capture_output=True, text=True, check=True)
    return np.array(done.stdout.split(), dtype=float).reshape(-1, targets)


ASK = {"pt2": ask_pt2, "onnx": ask_onnx, "python": ask_python, "c": ask_c}


def column(value):
    return torch.tensor(value if isinstance(value, list) else [value], dtype=torch.float64)


def make_run(folder, sizes, theta, *, activation="identity", output="identity", bias=False, which="last", **changed):
    """Write the checkpoint of a run that nobody trained: what it answers is known beforehand."""
    model = {"hidden": sizes[1:-1], "activation": activation, "output_activation": output, "bias": bias}
    model |= {"dropout": 0.0}
    plain = {name: column([0.0] * size) for name, size in (("in", sizes[0]), ("out", sizes[-1]))}
    fields = dict.fromkeys(Checkpoint.__annotations__, 0) | {
        "format": FORMAT,
        "diverged_epoch": None,
        "engine": None,
        "sizes": sizes,
        "theta": theta,
        "input_scaler": {"center": plain["in"], "factor": plain["in"] + 1},
        "target_scaler": {"center": plain["out"], "factor": plain["out"] + 1},
        "inputs": [f"x{index}" for index in range(sizes[0])],
        "targets": [f"y{index}" for index in range(sizes[-1])],
        "categories": {},
        "dates": [],
        "evaluation": {},
        "optimizer": {},
        "generators": {},
        "spread": plain["out"] + 1,
        "low": plain["in"] - 3,
        "high": plain["in"] + 3,
        "config": {"model": model},
    }
    save(fields | changed, folder / "checkpoints" / f"{which}.ckpt")
    return folder


def one(*, activation="identity", output="identity", layers=1, dtype=torch.float64, **changed):
    """Return the arguments of a run whose network is `output(activation(x))`, or x."""
    return {
        "sizes": [1] * (layers + 1),
        "theta": torch.ones(layers, dtype=dtype),
        "activation": activation,
        "output": output,
    } | changed
