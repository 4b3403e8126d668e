"""The stack against torch's own layers and automatic differentiation."""

import pytest
import torch
from torch import nn

from fit.catalog.activations import ACTIVATIONS
from fit.errors import FitError
from fit.model.stack import Stack
from fit.model.start import start_values
from fit.training.update import check_proportional

MODULES = {
    "identity": nn.Identity,
    "relu": nn.ReLU,
    "leaky_relu": nn.LeakyReLU,
    "elu": nn.ELU,
    "silu": nn.SiLU,
    "gelu": nn.GELU,
    "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid,
    "softplus": nn.Softplus,
    "relu6": nn.ReLU6,
    "selu": nn.SELU,
    "mish": nn.Mish,
    "hardswish": nn.Hardswish,
    "hardtanh": nn.Hardtanh,
    "softsign": nn.Softsign,
    "hardsigmoid": nn.Hardsigmoid,
    "logsigmoid": nn.LogSigmoid,
    "tanhshrink": nn.Tanhshrink,
    "softshrink": nn.Softshrink,
}


@pytest.mark.parametrize("activation", MODULES)
def test_start_values_and_outputs_are_those_of_torch_under_the_same_seed(activation):
    torch.manual_seed(5)
    layers = [nn.Linear(3, 7), nn.Linear(7, 5), nn.Linear(5, 2)]
    network = nn.Sequential(layers[0], MODULES[activation](), layers[1], MODULES[activation](), layers[2])
    theta = start_values((3, 7, 5, 2), 5)
    stack = Stack(theta.unsqueeze(0), (3, 7, 5, 2), activation)
    for mine, theirs in zip(stack.layers(theta.unsqueeze(0)), layers, strict=True):
        assert torch.equal(mine.weight[0], theirs.weight.T)
        assert torch.equal(mine.bias[0, 0], theirs.bias)
    inputs = torch.randn(11, 3)
    torch.testing.assert_close(stack(inputs.unsqueeze(0))[0], network(inputs))


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("sizes", [(1, 1), (3, 6, 1), (2, 1, 4, 3), (1, 5, 5, 2)])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_gradients_are_those_of_autograd(activation, sizes, bias):
    members, dtype = 3, torch.float64
    starts = torch.stack([start_values(sizes, seed, bias=bias) for seed in range(members)]).to(dtype)
    stack = Stack(starts, sizes, activation, activation, bias=bias)
    inputs = torch.randn(members, 7, sizes[0], dtype=dtype)
    pull = torch.randn(members, 7, sizes[-1], dtype=dtype)
    (expected,) = torch.autograd.grad((stack(inputs) * pull).sum(), stack.theta)
    gradient = torch.full_like(starts, torch.nan)
    with torch.no_grad():
        layers = stack.layers(stack.theta.data)
        stack.backward(stack.trace(inputs, layers), pull, layers, stack.layers(gradient))
    torch.testing.assert_close(gradient, expected)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_no_value_leaves_the_range_that_the_table_gives(activation):
    stack = Stack(torch.tensor([[1.0, 0.0]], dtype=torch.float64), (1, 1), "identity", activation)
    points = torch.cat([torch.linspace(-20, 20, 100_001, dtype=torch.float64), torch.tensor([-1e9, 1e9])])
    values = stack(points[None, :, None]).detach()
    reach = ACTIVATIONS[activation]
    assert reach.low - 1e-15 <= values.min()
    assert values.max() <= reach.high
    if reach.low > -10:  # the bound is the least one, not just any
        assert float(values.min()) == pytest.approx(reach.low, abs=1e-7)
    else:
        assert values.min() < -1e6
    assert float(values.max()) == pytest.approx(reach.high, abs=1e-7) if reach.high < 10 else values.max() > 1e6


@pytest.mark.parametrize(
    ("init", "deviation"),
    [("xavier_normal", (2 / 600) ** 0.5), ("xavier_uniform", (2 / 600) ** 0.5), ("kaiming_normal", (2 / 200) ** 0.5)],
)
def test_start_values_spread_as_named(init, deviation):
    weights = start_values((200, 400), 0, init=init, bias=False)
    assert float(weights.std()) == pytest.approx(deviation, rel=0.02)
    assert torch.equal(start_values((200, 400), 0, init=init, bias=False, gain=2.0), 2 * weights)


def test_start_values_can_be_given():
    assert start_values((1, 1), 9, init={"weight": 1.0, "bias": 0.0}).tolist() == [1.0, 0.0]


@pytest.mark.parametrize("kind", [torch.optim.Rprop, torch.optim.ASGD, torch.optim.LBFGS])
def test_optimizers_that_do_not_step_in_proportion_are_found_out(kind):
    with pytest.raises(FitError, match=kind.__name__):
        check_proportional(kind, {})


@pytest.mark.parametrize("kind", [torch.optim.Adamax, torch.optim.SGD, torch.optim.NAdam])
def test_optimizers_that_do_are_let_through(kind):
    check_proportional(kind, {"weight_decay": 0.1})
    assert kind([torch.zeros(1)], lr=1.0).defaults["lr"] == 1.0
