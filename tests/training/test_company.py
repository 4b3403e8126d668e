"""The promise of the stack: a member's weights do not depend on its company, to the last bit."""

import random

import pytest
import torch

from fit.catalog.activations import ACTIVATIONS
from fit.catalog.losses import LOSSES
from fit.evaluation.losses import find_loss
from fit.training.eager import Eager
from fit.training.kernel import Kernel
from stacks import OPTIMIZERS, make_recipe, train

MEMBERS = 64
SEEDS = [index % 3 for index in range(MEMBERS)]
LRS = [1e-4 * 1.05**index for index in range(MEMBERS)]


@pytest.fixture(params=[Eager, Kernel], ids=lambda engine: engine.name)
def engine(request):
    return request.param


def assert_the_same_alone(recipe_changes, optimizer, **how):
    """Train 64 together, and three of them alone."""
    together = train(make_recipe(SEEDS, LRS, optimizer, **recipe_changes(SEEDS)), **how)
    for member in (0, 31, 63):
        seeds, lrs = [SEEDS[member]], [LRS[member]]
        alone = train(make_recipe(seeds, lrs, optimizer, **recipe_changes(seeds)), **how)
        assert alone.isfinite().all()
        assert torch.equal(alone[0], together[member]), f"member {member}"


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_every_optimizer(engine, optimizer, dtype):
    assert_the_same_alone(
        lambda seeds: {},
        optimizer,
        sizes=(3, 64, 1),
        activation="gelu",
        rows=36,
        batch_size=2,
        steps=100,
        dtype=dtype,
        engine=engine,
    )


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_every_activation_at_awkward_widths_with_dropout(activation):
    # 7 rows of 13 and 5 columns leave numbers over that a CPU computes by another formula than whole vectors.
    how = {"sizes": (3, 13, 5, 2), "activation": activation, "output": activation, "dropout": 0.2}
    assert_the_same_alone(lambda seeds: {}, "adam", **how, rows=20, batch_size=7, steps=30)


@pytest.mark.parametrize("case", range(30))
def test_any_shape(case):
    draw = random.Random(case)
    sizes = (
        draw.choice([1, 2, 3, 20]),
        *draw.choices([1, 5, 7, 13, 32, 100], k=draw.choice([0, 1, 2, 3])),
        draw.choice([1, 2, 3, 60]),
    )
    l1, clip_val, loss = draw.choice([0.0, 1e-3]), draw.choice([0.5, 1e6]), draw.choice([*LOSSES])
    assert_the_same_alone(
        lambda seeds: {"l1": [l1] * len(seeds), "clip_val": [clip_val] * len(seeds), "loss": find_loss(loss)},
        draw.choice(["sgd", "adam", "radam", "rmsprop"]),
        sizes=sizes,
        activation=draw.choice([*ACTIVATIONS]),
        rows=draw.choice([11, 36, 100]),
        batch_size=draw.choice([2, 6, 7, 32, None]),
        steps=20,
        dtype=draw.choice([torch.float32, torch.float64]),
        dropout=draw.choice([0.0, 0.3]),
    )
