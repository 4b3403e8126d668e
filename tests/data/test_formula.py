"""Formulas: what they compute, as NumPy does, and that nothing else is ever evaluated."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from fit.data.datasets.formula import FUNCTIONS, Formula
from fit.errors import FitError

X = torch.linspace(0.1, 0.9, 17, dtype=torch.float64)
Y = torch.linspace(-2, 3, 17, dtype=torch.float64)


@pytest.mark.parametrize(
    ("text", "truth"),
    [
        ("sin(3*x)*exp(-x)", lambda x, y: np.sin(3 * x) * np.exp(-x)),
        ("1/(1+x**2)", lambda x, y: 1 / (1 + x**2)),
        ("-x**2 + +y", lambda x, y: -(x**2) + y),
        ("2**-x", lambda x, y: 2.0**-x),
        ("y % 1", lambda x, y: y % 1),
        ("hypot(x, y) + atan2(y, x)", lambda x, y: np.hypot(x, y) + np.arctan2(y, x)),
        ("where(y < 0, -1, x) + (x >= 0.5)", lambda x, y: np.where(y < 0, -1.0, x) + (x >= 0.5)),
        ("minimum(x, 0.5) + maximum(y, pi) * e", lambda x, y: np.minimum(x, 0.5) + np.maximum(y, np.pi) * np.e),
        ("log10(x) + log1p(x) + sqrt(x) + abs(y)", lambda x, y: np.log10(x) + np.log1p(x) + np.sqrt(x) + np.abs(y)),
        ("erf(x)", lambda x, y: np.array([math.erf(each) for each in x])),
        ("3", lambda x, y: np.full_like(x, 3.0)),
        (" + ".join(["x"] * 150), lambda x, y: 150 * x),
    ],
)
def test_formulas_are_what_numpy_computes(text, truth):
    values = Formula.parse(text, ("x", "y"))({"x": X, "y": Y})
    assert values.dtype == torch.float64
    assert values.numpy() == pytest.approx(truth(X.numpy(), Y.numpy()), rel=1e-12)


def test_a_name_is_the_letter_that_was_typed_however_python_reads_it(fit):
    Path("data").mkdir()  # as Hydra takes no such letter on the command line
    for name in ("\u00b5", "\u03bc"):
        own = {"defaults": ["expression"], "targets": {"y": f"2*{name}"}, "domain": {name: [0, 1]}}
        Path("data/mine.yaml").write_text(yaml.safe_dump(own))
        done = fit("--config-dir", ".", "data=mine", "trainer.max_epochs=1", "model.hidden=[4]", "logger=none")
        assert (done.code, done.err) == (0, "")
    with pytest.raises(FitError, match="are both read as μ"):
        Formula.parse("1", ("\u00b5", "\u03bc"))


def test_every_function_that_is_offered_can_be_called():
    operands = {"atan2": 2, "hypot": 2, "minimum": 2, "maximum": 2, "where": 3}
    for name in FUNCTIONS:
        text = f"{name}({', '.join(['x + 1' if name == 'acosh' else 'x'] * operands.get(name, 1))})"
        assert Formula.parse(text, ("x",))({"x": X}).isfinite().all()


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os').system('touch pwned')",
        "(lambda: 1)()",
        "x.__class__.__mro__[1].__subclasses__()",
        "().__class__",
        "[each for each in (1, 2)]",
        "{1: 2}[1]",
        "x[0]",
        "open('/etc/passwd').read()",
        "eval('1')",
        "exec('1')",
        "getattr(x, 'numpy')",
        "f'{x}'",
        "'text'",
        "b'x'",
        "1j",
        "True",
        "None",
        "...",
        "x if x else y",
        "x and y",
        "not x",
        "x < y < 1",
        "x == y",
        "x @ y",
        "x ^ 2",
        "x << 2",
        "~x",
        "x := 3",
        "(x := 3)",
        "sin(x=1)",
        "sin(*x)",
        "sin()",
        "sin(x, y)",
        "sin",
        "torch.sin(x)",
        "z",
        "await x",
        "print(x)",
        "",
        "  ",
        "x +",
        "x; y",
        "import os",
        "x\ny",
        "\x00",
        "(" * 400 + "x" + ")" * 400,
        "-" * 900 + "x",
        "x" * 1001,
        "x+" * 499 + "x",
    ],
)
def test_whatever_is_not_arithmetic_is_refused_and_has_no_effect(text, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FitError) as told:
        Formula.parse(text, ("x", "y"))({"x": X, "y": Y})
    assert str(told.value)
    assert list(tmp_path.iterdir()) == []


def test_numbers_beyond_doubles_are_infinite_and_nothing_worse():
    assert Formula.parse("1e400", ("x",))({"x": X}).isinf().all()
    assert Formula.parse("9**9**9**9", ("x",))({"x": X}).isinf().all()
    assert Formula.parse("1" + "0" * 400, ("x",))({"x": X}).isinf().all()
