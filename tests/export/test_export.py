"""A run's network as one file: whoever reads it gets the run's own answers, in the data's own units."""

import json
import math
import subprocess
import sys
from itertools import pairwise

import numpy as np
import onnx
import pytest
import torch

from export.runs import ASK, ask_c, ask_python, column, make_run, one
from fit.catalog.activations import ACTIVATIONS
from fit.data.datasets.xy_square import XYSquare
from fit.export.__main__ import ENDINGS
from fit.predict.predictor import load_predictor


def test_a_trained_run_has_the_same_error_as_its_exports(fit, export):
    run = fit("model=mlp_gelu", "model.hidden=[16]", "data=xy_square", "trainer.max_epochs=10", "logger=none")
    assert run.metrics["val/rmse"] < 60  # always the mean has 95: it is a network that knows something
    fresh = XYSquare().fresh()["val"]
    for kind, ask in ASK.items():
        done = export(run.folder, kind)
        assert (done.code, done.err) == (0, "")
        for words in ("x²+y²", "x: -14.98", "1: 1 to 1", "1000, 1 and 0 rows"):
            assert words in done.out
        errors = ask(done.path, fresh.inputs.numpy(), 1) - fresh.targets.numpy()
        assert np.sqrt(np.mean(errors**2)) == pytest.approx(run.metrics["val/rmse"], rel=1e-5)


@pytest.mark.parametrize("kind", ENDINGS)
def test_units_are_folded_in_and_big_offsets_keep_their_digits(tmp_path, export, kind):
    offset = {"center": column(1e9), "factor": column(4.0)}
    shifted = one(input_scaler=offset, low=column(1e9 - 3), high=column(1e9 + 3), dtype=torch.float32)
    shifted["target_scaler"] = {"center": column(-2e9), "factor": column(0.5)}
    done = export(make_run(tmp_path, **shifted), kind)
    answers = ASK[kind](done.path, np.array([[1e9 + 0.25], [1e9 - 2.5]]), 1)
    assert answers.ravel().tolist() == [-2e9 + 2, -2e9 - 20]


# By the textbook; none of it as the exports write it.
TEXTBOOK = {
    "identity": lambda x: x,
    "relu": lambda x: max(x, 0.0),
    "leaky_relu": lambda x: max(x, 0.01 * x),
    "elu": lambda x: x if x > 0 else math.exp(x) - 1,
    "silu": lambda x: x * math.exp(x) / (math.exp(x) + 1),
    "gelu": lambda x: x * math.erfc(-x / math.sqrt(2)) / 2,
    "tanh": lambda x: math.sinh(x) / math.cosh(x),
    "sigmoid": lambda x: math.exp(x) / (math.exp(x) + 1),
    "softplus": lambda x: math.log(math.exp(x) + 1),
    "sin": lambda x: (complex(math.cos(x), math.sin(x))).imag,
    "relu6": lambda x: sorted([0.0, x, 6.0])[1],
    "selu": lambda x: 1.0507009873554805 * (x if x > 0 else 1.6732632423543772 * (math.exp(x) - 1)),
    "mish": lambda x: x * (1 - 2 / ((math.exp(x) + 1) ** 2 + 1)),
    "hardswish": lambda x: x * sorted([0.0, x / 6 + 0.5, 1.0])[1],
    "hardtanh": lambda x: sorted([-1.0, x, 1.0])[1],
    "softsign": lambda x: x / (1 + abs(x)),
    "hardsigmoid": lambda x: sorted([0.0, x / 6 + 0.5, 1.0])[1],
    "logsigmoid": lambda x: -math.log(math.exp(-x) + 1),
    "tanhshrink": lambda x: x - math.sinh(x) / math.cosh(x),
    "softshrink": lambda x: math.copysign(max(abs(x) - 0.5, 0.0), x),
}
PAIRS = [
    ("identity", "relu"),
    ("leaky_relu", "softplus"),
    ("silu", "tanh"),
    ("gelu", "sigmoid"),
    ("sin", "elu"),
    ("selu", "hardsigmoid"),
    ("mish", "logsigmoid"),
    ("tanhshrink", "hardtanh"),
    ("softshrink", "hardswish"),
    ("softsign", "relu6"),
]


def test_every_activation_is_known():
    assert set(ACTIVATIONS) == set(TEXTBOOK) == {name for pair in PAIRS for name in pair}


@pytest.mark.parametrize("kind", ENDINGS)
@pytest.mark.parametrize(("activation", "output"), PAIRS)
def test_activations_are_those_of_the_textbook_in_float64(tmp_path, export, kind, activation, output):
    run = make_run(tmp_path, **one(activation=activation, output=output, layers=2))
    done = export(run, kind)
    if kind == "onnx" and activation == "gelu":
        assert done.code == 2
        assert f"{activation} in float64" in done.err
        return
    assert (done.code, done.err) == (0, "")
    points = np.array([-40.0, -3, -0.5, 0, 0.5, 3, 19, 40])
    answers = ASK[kind](done.path, points[:, None], 1)
    expected = [TEXTBOOK[output](TEXTBOOK[activation](x)) for x in points]
    assert answers.ravel() == pytest.approx(expected, rel=1e-10, abs=1e-12)


def shape(dtype, sizes, *, bias=True, **changed):
    """Return the arguments of a run of random weights."""
    count = sum(fan_in * fan_out + bias * fan_out for fan_in, fan_out in pairwise(sizes))
    theta = torch.randn(count, generator=torch.Generator().manual_seed(1), dtype=torch.float64).to(dtype)
    return {"sizes": sizes, "theta": theta, "bias": bias} | changed


MINMAX = {"center": column([-3.0, 0.0]), "factor": column([1 / 6, 1.0])}
READINGS = {"center": column(51.8), "factor": column(0.0594)}, {"center": column(10.5), "factor": column(0.109)}
CONSTANT = {"low": column([-3.0, 1.0]), "high": column([3.0, 1.0])}
SHAPES = {
    "deep": shape(
        torch.float32,
        [2, 9, 8, 7, 6, 5, 3],
        activation="softplus",
        output="leaky_relu",
        input_scaler=MINMAX,
        **CONSTANT,
    ),
    "no_bias": shape(torch.float32, [3, 20, 2], activation="gelu", output="elu", bias=False),
    # One scale beside one product is what onnxruntime makes one of.
    "affine": shape(torch.float64, [1, 1], bias=False, input_scaler=READINGS[0], target_scaler=READINGS[1]),
    "no_hidden": shape(torch.float64, [2, 4], output="sigmoid", input_scaler=MINMAX),
}


@pytest.mark.parametrize("kind", ENDINGS)
@pytest.mark.parametrize("name", SHAPES)
def test_any_shape_answers_as_the_run_does(tmp_path, export, kind, name):
    run = make_run(tmp_path, **SHAPES[name])
    done = export(run, kind)
    assert (done.code, done.err) == (0, "")
    predictor = load_predictor(run)
    columns, targets = len(predictor.inputs), len(predictor.targets)
    inputs = np.random.default_rng(0).normal(size=(7, columns)) * 3
    double = SHAPES[name]["theta"].dtype == torch.float64
    for rows in (inputs, inputs[:1]):
        truth = predictor(torch.from_numpy(rows))[0].numpy()
        answers = ASK[kind](done.path, rows, targets)
        assert answers.shape == truth.shape
        assert answers == pytest.approx(truth, rel=1e-12 if double else 1e-5, abs=1e-13 if double else 1e-5)
    if kind != "c":
        assert ASK[kind](done.path, inputs[:0], targets).shape == (0, targets)


def test_python_file_needs_numpy_alone_takes_a_single_row_and_refuses_other_columns(tmp_path, export):
    run = make_run(tmp_path / "run", **SHAPES["no_bias"])
    output = tmp_path / "fitted.py"
    assert export(run, "python", "--output", str(output)).code == 0
    code = (
        "import sys; sys.modules |= {'torch': None, 'fit': None, 'scipy': None}\n"
        "from fitted import predict\n"
        "print(predict([0.5, 1, 2]).tolist())\n"
        "try: predict([[0.5]])\n"
        "except ValueError as error: print(error)"
    )
    command = [sys.executable, "-W", "error", "-c", code]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    answers, refusal = done.stdout.splitlines()
    truth = load_predictor(run)(column([[0.5, 1, 2]]))[0][0].tolist()
    assert json.loads(answers) == pytest.approx(truth, rel=1e-5)
    assert refusal == "predict takes inputs of shape [rows, 3], not [1, 1]."
    assert not (run / "network.py").exists()


def test_names_are_text_whatever_they_are_and_text_columns_are_explained(tmp_path, export):
    inputs = ['"""\nimport os', "*/ int x; /* \\", "colour=red", "colour=blue"]
    categories = {"colour": ["red", "blue"]}
    run = make_run(tmp_path, **shape(torch.float32, [4, 2], inputs=inputs, categories=categories, targets=["°C", '"']))
    rows = np.array([[1.0, 2, 0, 1]])
    for kind, ask in ASK.items():
        done = export(run, kind)
        assert "The text column colour is given as numbers: 1 for the one of colour=red or colour=blue" in done.out
        truth = load_predictor(run)(torch.from_numpy(rows))[0].numpy()
        assert ask(done.path, rows, 2) == pytest.approx(truth, rel=1e-5)
        if kind in ("python", "c"):
            assert "The text column colour is" in done.path.read_text()
    assert ask_c(done.path, rows, 2, "main.cpp") == pytest.approx(truth, rel=1e-5)
    model = onnx.load(run / "network.onnx")
    columns = {each.key: each.value for each in model.metadata_props}
    assert (json.loads(columns["inputs"]), json.loads(columns["targets"])) == (inputs, ["°C", '"'])
    assert json.loads(columns["categories"]) == categories
    assert [dim.dim_param for dim in model.graph.output[0].type.tensor_type.shape.dim][:1] == ["rows"]


def test_best_and_last_are_told_apart(tmp_path, export):
    make_run(tmp_path, **one())
    make_run(tmp_path, **one() | {"theta": column(7.0)}, which="best")
    for which, answer in (("last", 2), ("best", 14)):
        done = export(tmp_path, "python", "--checkpoint", which)
        assert ask_python(done.path, np.array([[2.0]]), 1).item() == answer
        assert f"{which} checkpoint" in done.path.read_text()


@pytest.mark.parametrize("kind", ASK)
@pytest.mark.parametrize("output", ["identity", "tanh"])
def test_an_ensemble_is_one_network_that_answers_the_mean(tmp_path, export, kind, output):
    thetas = torch.randn(3, 2 * 3 + 3 + 3 * 2 + 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    for number, theta in enumerate(thetas):
        folder = tmp_path / "run" / "members" / str(number)
        make_run(folder, [2, 3, 2], theta, activation="tanh", output=output, bias=True)
        (folder / ".hydra").mkdir()
        (folder / ".hydra" / "config.yaml").touch()
    done = export(tmp_path / "run", kind)
    assert done.code == 0, done.err
    assert "mean of 3 networks" in done.out
    x = np.array([[0.3, -1.2], [2.0, 0.5]])

    def answer(theta):
        """Compute a member by hand."""
        first, bias, second, last = np.split(theta.numpy(), [6, 9, 15])
        sums = np.tanh(x @ first.reshape(2, 3) + bias) @ second.reshape(3, 2) + last
        return np.tanh(sums) if output == "tanh" else sums

    np.testing.assert_allclose(ASK[kind](done.path, x, 2), np.mean([answer(each) for each in thetas], 0), rtol=1e-9)
