"""What the kernel promises beside the results of torch: bits that depend on nothing but the settings of a run."""

import math
import random
from dataclasses import replace

import pytest
import torch

from fit.catalog.activations import ACTIVATIONS
from fit.catalog.losses import LOSSES
from fit.data.batches import Batches
from fit.evaluation.losses import find_loss
from fit.model.stack import Stack
from fit.model.start import start_values
from fit.training import kernel
from fit.training.eager import Eager
from fit.training.kernel import Kernel
from fit.training.schedules import Schedule
from stacks import OPTIMIZERS, make_recipe, make_rows, train


def draw_case(number):
    """Return a random recipe of several members, and what is trained by it."""
    draw = random.Random(number)
    width = lambda: draw.choice([1, 2, 3, 7, 8, 15, 16, 17, 31, 33, 64, 100, draw.randint(1, 300)])  # noqa: E731
    members, optimizer = draw.randint(2, 5), draw.choice([*OPTIMIZERS])
    recipe = make_recipe(
        [draw.randint(0, 3) for _ in range(members)],
        [(0.1 if optimizer == "adadelta" else 1e-3) * (1 + member) for member in range(members)],
        optimizer,
        l1=[draw.choice([0.0, 1e-3]) for _ in range(members)],
        l2=[draw.choice([0.0, 1e-3]) for _ in range(members)],
        clip_val=[draw.choice([math.inf, 0.1]) for _ in range(members)],
        clip_algorithm=draw.choice(["norm", "value"]),
        loss=find_loss(draw.choice([*LOSSES])),
    )
    how = {
        "sizes": [
            draw.choice([1, 2, 3, 10, 20]),
            *(width() for _ in range(draw.randint(0, 5))),
            draw.choice([1, 2, 17]),
        ],
        "activation": draw.choice([*ACTIVATIONS]),
        "output": draw.choice(["identity", "tanh", "softplus", "sin"]),
        "rows": draw.choice([1, 2, 5, 36, draw.randint(1, 300)]),
        "batch_size": draw.choice([1, 2, 7, 33, None, draw.randint(1, 300)]),
        "dropout": draw.choice([0.0, 0.0, 0.2]),
        "dtype": draw.choice([torch.float32, torch.float64]),
        "steps": 40,
    }
    return recipe, how


@pytest.mark.parametrize("number", range(20))
def test_a_member_is_the_same_alone_and_by_any_number_of_threads(monkeypatch, number):
    recipe, how = draw_case(number)
    alone = train(recipe.keep([1]), engine=Kernel, **how)[0]
    for name in ("WORTH_SHARING", "WORTH_THREADS"):  # threads even where they do not pay
        monkeypatch.setattr(kernel, name, 0)
    assert torch.equal(train(replace(recipe, threads=2), engine=Kernel, **how)[1].nan_to_num(), alone.nan_to_num())
    assert torch.equal(
        train(replace(recipe.keep([1]), threads=3), engine=Kernel, **how)[0].nan_to_num(), alone.nan_to_num()
    )


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.float64, 1e-12)])
def test_every_activation_ends_where_torchs_own_does(activation, dtype, tolerance):
    how = {"sizes": (3, 20, 17, 2), "rows": 37, "batch_size": 5, "steps": 200, "dtype": dtype}
    ours, torchs = (
        train(make_recipe([0], [1e-3]), activation=activation, output=activation, engine=engine, **how)
        for engine in (Kernel, Eager)
    )
    assert float((ours - torchs).abs().max() / torchs.abs().max()) < tolerance


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-6), (torch.float64, 1e-14)])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_an_activation_is_right_wherever_it_is_asked(activation, dtype, tolerance):
    where = torch.cat([torch.linspace(-30, 30, 601), torch.tensor([0.0, 1e-8, -1e-8, 90.0, -90.0, 800.0, -800.0])])
    where = where.to(dtype)
    ours, torchs = (value_and_slope(where, activation, engine) for engine in (Kernel, Eager))
    for mine, other in zip(ours, torchs, strict=True):
        assert float(((mine - other).abs() / other.abs().clamp(min=1)).max()) < tolerance


def value_and_slope(where, activation, engine):
    """Return |f(x)| and its derivative: the error of a network of one weight, and how far its bias moves."""
    recipe = make_recipe([0] * len(where), [1.0] * len(where), "sgd", loss=find_loss("mae"), schedule=Schedule())
    theta = torch.stack([where, torch.zeros_like(where)], 1)
    stack = Stack(theta.clone(), (1, 1), "identity", activation)
    one = torch.ones(1, 1, 1, dtype=where.dtype)
    value = engine(stack, recipe).train(Batches(one, 0 * one, None, recipe.seeds), 1)[0]
    return value, theta[:, 1] - stack.theta.data[:, 1]


def test_where_a_call_ends_changes_nothing(monkeypatch):
    how = {"sizes": (3, 16, 1), "activation": "gelu", "rows": 36, "batch_size": 5, "steps": 400, "dropout": 0.1}
    recipe = make_recipe([0, 1], [1e-2, 1e-3], "nadam")
    whole = train(recipe, engine=Kernel, **how)
    monkeypatch.setattr(kernel, "SECONDS_PER_CALL", 1e-9)  # a call for every pass
    monkeypatch.setattr(kernel, "MOST_NUMBERS", 5)  # and more of them within it
    assert torch.equal(train(recipe, engine=Kernel, **how), whole)


def test_threads_that_share_rows_report_the_same_losses():
    inputs, targets = make_rows(400, 3, 1, torch.float32)
    seen = []
    for threads in (1, 2, 4):
        recipe = make_recipe([0], [1e-3], threads=threads)
        stack = Stack(start_values((3, 700, 1), 0)[None], (3, 700, 1), "relu")
        engine, batches = Kernel(stack, recipe), Batches(inputs, targets, 200, recipe.seeds)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(kernel, "WORTH_SHARING", 0)
            seen.append(torch.cat([engine.train(batches, engine.epoch + 4) for _ in range(30)])[:60])
    assert torch.equal(seen[0], seen[1])
    assert torch.equal(seen[0], seen[2])


def test_a_member_that_is_lost_ends_a_call_at_its_pass_for_all(monkeypatch):
    monkeypatch.setattr(kernel, "SECONDS_PER_CALL", 100.0)  # as long calls as there can be
    inputs, targets = make_rows(36, 3, 1, torch.float32)
    ends = []
    for rates in ([1e-3, 40.0], [40.0]):
        recipe = make_recipe([0] * len(rates), rates, "sgd")
        stack = Stack(torch.stack([start_values((3, 8, 1), 0)] * len(rates)), (3, 8, 1), "relu")
        engine, batches = Kernel(stack, recipe), Batches(inputs, targets, 6, recipe.seeds)
        while bool(engine.train(batches, 10**4).isfinite().all()):
            assert engine.epoch < 10**4
        ends.append((engine.epoch, engine.step))
        assert engine.step == 6 * engine.epoch
        assert bool(stack.theta[0].isfinite().all()) == (len(rates) == 2)
    assert ends[0] == ends[1]
