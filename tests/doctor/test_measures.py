"""What the doctor measures, against closed forms and torch's own derivatives."""

import math

import pytest
import torch

from fit.doctor.measurements.curvature import hessian_product, largest_eigenvalue
from fit.doctor.measurements.loss_curve import LossCurve
from fit.doctor.measurements.moments import second_moments
from fit.evaluation.losses import find_loss
from fit.model.stack import Stack
from fit.model.start import start_values


def networks(members, sizes, activation="tanh"):
    theta = torch.stack([start_values(sizes, seed) for seed in range(members)]).double()
    return Stack(theta, sizes, activation)


def rows(count=30, inputs=2, outputs=1):
    generator = torch.Generator().manual_seed(1)
    return (torch.randn(1, count, columns, generator=generator, dtype=torch.float64) for columns in (inputs, outputs))


@pytest.mark.parametrize("loss", ["mse", "mse_sum", "huber"])
def test_the_largest_eigenvalue_of_every_member_is_that_of_the_whole_hessian(loss):
    stack, (inputs, targets) = networks(3, (2, 6, 1)), rows()
    found = largest_eigenvalue(hessian_product(stack, inputs, targets, find_loss(loss)), stack.theta.data)
    reduction = {"mse": "mean", "mse_sum": "sum", "huber": "mean"}[loss]
    function = torch.nn.functional.huber_loss if loss == "huber" else torch.nn.functional.mse_loss

    def value(theta):
        hidden = torch.tanh(inputs[0] @ theta[:12].view(2, 6) + theta[12:18])
        return function(hidden @ theta[18:24].view(6, 1) + theta[24:], targets[0], reduction=reduction)

    for member, theta in enumerate(stack.theta.data):
        whole = torch.linalg.eigvalsh(torch.autograd.functional.hessian(value, theta))[-1]
        assert float(found[member]) == pytest.approx(float(whole), rel=1e-3)


def test_fewer_products_make_it_lower_not_wrong():
    stack, (inputs, targets) = networks(1, (2, 16, 16, 1)), rows()
    product = hessian_product(stack, inputs, targets, find_loss("mse"))
    early = float(largest_eigenvalue(product, stack.theta.data, most=3))
    assert early <= float(largest_eigenvalue(product, stack.theta.data)) * (1 + 1e-9)


def test_moments_of_inputs_far_from_zero():
    """Of x in [c, c+1] and a one, the least eigenvalue is about var(x) / c²: far below the rounding of c²."""
    inputs = 1e6 + torch.linspace(0, 1, 1001, dtype=torch.float64)[:, None]
    moments = second_moments(inputs, bias=True)
    variance = float(inputs.var(correction=0))
    assert moments.high == pytest.approx(float(inputs.square().mean()) + 1, rel=1e-6)
    assert moments.low == pytest.approx(variance / moments.high, rel=1e-6)


def test_moments_of_the_thermometer():
    """Article A3: λmax = 5883.4 is twice the largest second moment."""
    from fit.data.dataset import read_columns

    fahrenheit = read_columns("temperature.csv")[:, :1]
    assert 2 * second_moments(fahrenheit, bias=True).high == pytest.approx(5883.4, rel=1e-5)


def test_progress_of_an_exponential_and_of_a_plateau():
    falling = [{"epoch": epoch, "train/loss": math.exp(-0.01 * epoch), "lr": 0.1} for epoch in range(0, 1001, 10)]
    progress = LossCurve.of(falling, 0.0)
    assert progress.falling == pytest.approx(math.exp(0.01 * 460), rel=0.05)
    assert progress.jitter < 1e-6
    level = [{"epoch": epoch, "train/loss": 1.0 + 0.5 * (epoch % 20 == 0), "lr": 0.1} for epoch in range(0, 1001, 10)]
    assert LossCurve.of(level, 0.0).jitter > 0.15
    assert LossCurve.of(level, 0.0).falling < 1.6
