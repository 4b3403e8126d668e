"""Exports that would be wrong, or cannot be: nothing is written, and one sentence says why."""

import math
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch

from export.runs import ask_c, column, make_run, one
from fit.catalog.activations import ACTIVATIONS


@pytest.mark.parametrize(("kind", "wrong"), [("python", {"numpy": "np.cos(sums)"}), ("c", {"c": "1.001 * sin(x)"})])
def test_an_export_that_differs_is_not_written(tmp_path, export, monkeypatch, kind, wrong):
    run = make_run(tmp_path, **one(activation="sin", layers=2))
    right = export(run, kind).path.read_bytes()
    monkeypatch.setitem(ACTIVATIONS, "sin", replace(ACTIVATIONS["sin"], **wrong))
    done = export(run, kind)
    assert done.code == 2
    assert "differs from the run by" in done.err
    assert (done.path.read_bytes(), done.out) == (right, "")
    done.path.unlink()
    assert export(run, kind).code == 2
    assert sorted(each.name for each in run.iterdir()) == ["checkpoints"]


def test_a_scale_that_is_a_number_hides_no_difference(tmp_path, export, monkeypatch):
    tiny = {"center": column(0.0), "factor": column(1e-6)}
    wrong = one(activation="sin", layers=2, dtype=torch.float32, target_scaler=tiny, spread=column(7e5))
    run = make_run(tmp_path, **wrong)
    assert export(run, "python").code == 0
    # As a spread of 1/factor is 1e6 whatever the targets are, that of the targets themselves is what counts.
    small = make_run(tmp_path, **wrong | {"theta": torch.tensor([1e-5, 1.0]), "spread": column(30.0)})
    assert export(small, "python").code == 0
    monkeypatch.setitem(ACTIVATIONS, "sin", replace(ACTIVATIONS["sin"], numpy="np.sin(sums) * 1.001"))
    assert "differs from the run by" in export(small, "python").err
    far = one(dtype=torch.float32, theta=torch.tensor([1e-3, 1.0]), bias=True, target_scaler=tiny, spread=column(2e3))
    assert export(make_run(tmp_path, **far), "python").code == 0


def test_without_a_compiler_it_says_that_nothing_was_run(tmp_path, export, monkeypatch):
    run = make_run(tmp_path, **one())
    monkeypatch.setenv("PATH", "")
    done = export(run, "c")
    assert done.code == 0
    assert "not checked: there is no C compiler" in done.out
    monkeypatch.undo()
    assert ask_c(done.path, np.array([[2.0]]), 1).item() == 2


@pytest.mark.parametrize(
    ("kind", "output", "words"),
    [
        ("c", "nowhere/net.h", "nowhere does not exist"),
        ("c", "checkpoints", "it is a folder"),
        ("c", "net.txt", "ending in .h"),
        ("python", "my-net.py", "letters, digits and _"),
        ("c", "2.h", "letters, digits and _"),
        ("python", "class.py", "letters, digits and _"),
    ],
)
def test_outputs_that_cannot_be_are_refused(tmp_path, export, kind, output, words):
    run = make_run(tmp_path, **one())
    done = export(run, kind, "--output", str(run / output))
    assert done.code == 2
    assert words in done.err
    assert str(run / output) in done.err
    assert sorted(each.name for each in run.iterdir()) == ["checkpoints"]


def test_runs_that_cannot_be_exported_are_refused(tmp_path, export, monkeypatch):
    assert "not a run folder" in export(tmp_path, "c").err
    for wrong in ({"theta": column(math.nan)}, {"diverged_epoch": 11}):
        make_run(tmp_path, **one() | wrong)
        assert "has diverged" in export(tmp_path, "c").err
    make_run(tmp_path, **one(high=column(math.inf)))
    assert "not finite" in export(tmp_path, "c").err
    make_run(tmp_path, **one())
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    done = export(tmp_path, "onnx")
    assert done.code == 2
    assert "pip install '.[onnx]'" in done.err
    assert sorted(each.name for each in tmp_path.iterdir()) == ["checkpoints"]


def test_help_needs_no_torch():
    code = (
        "import sys, runpy; sys.modules['torch'] = None; sys.argv = ['export', '--help']\n"
        "runpy.run_module('fit.export', run_name='__main__')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "--checkpoint" in done.stdout
