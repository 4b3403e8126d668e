"""Errors, the best affine function and floors, against closed forms."""

import math

import pytest
import torch

from fit.data.dataset import Rows
from fit.data.datasets.multi_function import MultiFunction
from fit.data.datasets.temperature import Temperature
from fit.evaluation.affine import least_squares
from fit.evaluation.errors import errors
from fit.evaluation.floor import floor
from fit.model.architecture import MLP


def column(*values):
    return torch.tensor(values, dtype=torch.float64).reshape(1, -1, 1)


def test_errors_of_a_worked_example():
    # Against 1, 2, 3, 4 the guesses are off by 0, 1, -2 and 0: SSE 5, SST 5.
    measured = {key: value[0, 0].item() for key, value in errors(column(1, 3, 1, 4), column(1, 2, 3, 4)).items()}
    assert measured == pytest.approx({"mse": 1.25, "rmse": 1.25**0.5, "max_error": 2, "r2": 0, "nrmse": 1})


def test_constant_targets_have_no_r2():
    measured = errors(column(1, 2), column(3, 3))
    assert math.isnan(measured["r2"][0, 0])
    assert measured["mse"][0, 0] == 2.5


def test_errors_over_all_targets_come_first():
    truth = torch.tensor([[[0.0, 10.0], [2.0, 30.0]]], dtype=torch.float64)
    measured = errors(truth + torch.tensor([1.0, 0.0]), truth)
    assert measured["mse"].tolist() == [[0.5, 1.0, 0.0]]
    assert measured["max_error"].tolist() == [[1.0, 1.0, 0.0]]


def test_least_squares_is_the_line_of_the_article():
    line = least_squares(Temperature().rows())
    assert float(line.slopes) == pytest.approx(0.536772, abs=5e-7)
    assert float(line.offset) == pytest.approx(-17.304785, abs=1e-6)


def test_least_squares_finds_an_exact_affine_function_even_from_dependent_columns():
    inputs = torch.randn(20, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    inputs[:, 2] = 1
    rows = Rows(inputs, (2 * inputs[:, 0] - inputs[:, 1] + 5).unsqueeze(1))
    torch.testing.assert_close(least_squares(rows)(inputs), rows.targets)


@pytest.mark.parametrize(
    ("shape", "loss", "lowest"),
    [
        (MLP((1, 1), "identity", "identity", True), "mse", 2.927645),
        (MLP((1, 64, 1), "identity", "identity", True), "mse_sum", 11 * 2.927645),
        (MLP((1, 64, 1), "relu", "identity", True), "mse", None),
        (MLP((1, 1), "identity", "identity", True), "mae", None),
    ],
)
def test_floor_of_affine_models(shape, loss, lowest):
    value = floor(shape, loss, Temperature().rows())
    assert value == (None if lowest is None else pytest.approx(lowest, rel=1e-6))


def test_floor_of_a_bounded_output():
    shape = MLP((1, 32, 3), "gelu", "gelu", True)
    assert floor(shape, "mse_sum", MultiFunction(shift=10.0).rows()) == pytest.approx(4244.48, abs=0.005)
    assert floor(shape, "mse_sum", MultiFunction().rows()) is None
    assert floor(MLP((1, 32, 1), "gelu", "tanh", True), "mae", Rows(column(0)[0], column(3)[0])) == pytest.approx(2.0)
