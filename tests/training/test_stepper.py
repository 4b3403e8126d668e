"""Training a stack of one, by each engine, against torch's own modules, optimizers and schedules."""

import math
from itertools import pairwise

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from fit.evaluation.losses import find_loss
from fit.training.eager import Eager
from fit.training.kernel import Kernel
from fit.training.schedules import Schedule
from stacks import OPTIMIZERS, make_recipe, make_rows, train

SIZES, ROWS, BATCH, STEPS = (3, 16, 8, 2), 36, 6, 120


def plain(seed, optimizer, lr, dropout=0.0, loss=F.mse_loss, penalty=None, clip=None, dtype=torch.float32):
    """Train the same network as everybody writes it, and return its weights layer by layer."""
    inputs, targets = (each[0] for each in make_rows(ROWS, SIZES[0], SIZES[-1], dtype))
    torch.manual_seed(seed)
    layers = [nn.Linear(*pair) for pair in pairwise(SIZES)]
    hidden = [module for layer in layers[:-1] for module in (layer, nn.GELU(), nn.Dropout(dropout))]
    network = nn.Sequential(*hidden, layers[-1]).to(dtype)
    kind, settings = OPTIMIZERS[optimizer]
    stepper = kind(network.parameters(), lr=lr, **settings)
    order = torch.Generator().manual_seed(seed)
    torch.manual_seed(seed)
    for _ in range(STEPS * BATCH // ROWS):
        for batch in torch.randperm(ROWS, generator=order).split(BATCH):
            stepper.zero_grad()
            value = loss(network(inputs[batch]), targets[batch])
            if penalty is not None:
                value = value + penalty([layer.weight for layer in layers])
            value.backward()
            if clip is not None:
                clip(network.parameters())
            stepper.step()
    return torch.cat([part.reshape(-1) for layer in layers for part in (layer.weight.detach().T, layer.bias.detach())])


@pytest.fixture(params=[Eager, Kernel], ids=lambda engine: engine.name)
def ours(request):
    """Return a function that trains by one engine."""

    def run(seed, optimizer, lr, dropout=0.0, dtype=torch.float32, **changes):
        recipe = make_recipe([seed], [lr], optimizer, schedule=Schedule(), **changes)
        how = {"dtype": dtype, "dropout": dropout, "engine": request.param}
        return train(recipe, SIZES, "gelu", ROWS, BATCH, STEPS, **how)[0]

    return run


def distance(first, second):
    return float((first - second).norm() / second.norm())


@pytest.mark.parametrize("dropout", [0.0, 0.25])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_every_optimizer_against_torch(ours, optimizer, dropout):
    lr = 0.5 if optimizer == "adadelta" else 3e-3
    assert distance(ours(1, optimizer, lr, dropout), plain(1, optimizer, lr, dropout)) < 1e-5


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_every_optimizer_against_torch_in_double_precision(ours, optimizer):
    dtype = torch.float64
    assert distance(ours(1, optimizer, 3e-3, dtype=dtype), plain(1, optimizer, 3e-3, dtype=dtype)) < 1e-13


@pytest.mark.parametrize(
    ("name", "loss"),
    [
        ("mse", F.mse_loss),
        ("mse_sum", lambda outputs, targets: F.mse_loss(outputs, targets, reduction="sum")),
        ("mae", F.l1_loss),
        ("huber", F.huber_loss),
        ("smooth_l1", F.smooth_l1_loss),
        ("log_cosh", lambda outputs, targets: (outputs - targets).cosh().log().mean()),
    ],
)
def test_every_loss_against_torch(ours, name, loss):
    assert distance(ours(2, "adam", 3e-3, loss=find_loss(name)), plain(2, "adam", 3e-3, loss=loss)) < 1e-5


def test_penalties_against_autograd(ours):
    changed = ours(0, "sgd", 0.01, l1=[1e-2], l2=[3e-2])
    expected = plain(
        0, "sgd", 0.01, penalty=lambda weights: sum(1e-2 * w.abs().sum() + 3e-2 * w.square().sum() for w in weights)
    )
    assert distance(changed, expected) < 1e-5
    assert distance(changed, ours(0, "sgd", 0.01)) > 1e-3


@pytest.mark.parametrize(
    ("algorithm", "clip"),
    [
        ("norm", lambda parameters: nn.utils.clip_grad_norm_(parameters, 0.3)),
        ("value", lambda parameters: nn.utils.clip_grad_value_(parameters, 0.03)),
    ],
)
def test_clipping_against_torch(ours, algorithm, clip):
    limit = {"norm": 0.3, "value": 0.03}[algorithm]
    clipped = ours(0, "sgd", 0.1, clip_val=[limit], clip_algorithm=algorithm)
    assert distance(clipped, plain(0, "sgd", 0.1, clip=clip)) < 1e-5
    assert distance(clipped, ours(0, "sgd", 0.1)) > 1e-3


@pytest.mark.parametrize("engine", [Eager, Kernel], ids=lambda engine: engine.name)
def test_a_diverged_member_leaves_the_others_alone(engine):
    together = train(make_recipe([0, 1], [1e30, 1e-3], "sgd"), (3, 8, 1), "relu", 36, 6, 60, engine=engine)
    alone = train(make_recipe([1], [1e-3], "sgd"), (3, 8, 1), "relu", 36, 6, 60, engine=engine)
    assert not together[0].isfinite().all()
    assert torch.equal(together[1], alone[0])
    assert math.isfinite(float(alone.sum()))
