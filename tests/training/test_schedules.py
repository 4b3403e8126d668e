"""The schedules' closed forms against torch's step-by-step ones."""

import pytest
import torch
from torch.optim import lr_scheduler

from fit.training.schedules import Cosine, Exponential, OneCycle, Schedule, Step

EPOCHS, PER_EPOCH = 40, 5
TOTAL = EPOCHS * PER_EPOCH


def torch_factors(make, per_epoch):
    """Return the factor of each step under a torch scheduler that is stepped once an epoch or once a step."""
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=1.0)
    scheduler = make(optimizer)
    factors = []
    for step in range(TOTAL):
        factors.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        if step < TOTAL - 1 and (not per_epoch or (step + 1) % PER_EPOCH == 0):
            scheduler.step()
    return torch.tensor(factors, dtype=torch.float64)


@pytest.mark.parametrize(
    ("ours", "theirs", "per_epoch"),
    [
        (Schedule(), lambda o: lr_scheduler.ConstantLR(o, 1.0), True),
        (Step(step_size=7, gamma=0.5), lambda o: lr_scheduler.StepLR(o, 7, 0.5), True),
        (Exponential(gamma=0.9), lambda o: lr_scheduler.ExponentialLR(o, 0.9), True),
        (Cosine(final=0.1), lambda o: lr_scheduler.CosineAnnealingLR(o, TOTAL, 0.1), False),
        (OneCycle(), lambda o: lr_scheduler.OneCycleLR(o, 1.0, TOTAL, cycle_momentum=False), False),
        (
            OneCycle(pct_start=0.1, div_factor=5, final_div_factor=50),
            lambda o: lr_scheduler.OneCycleLR(
                o, 1.0, TOTAL, pct_start=0.1, div_factor=5, final_div_factor=50, cycle_momentum=False
            ),
            False,
        ),
    ],
)
def test_against_torch(ours, theirs, per_epoch):
    factors = ours.factors(range(TOTAL), PER_EPOCH, EPOCHS)
    torch.testing.assert_close(factors, torch_factors(theirs, per_epoch), rtol=1e-9, atol=1e-12)
    torch.testing.assert_close(ours.factors(range(50, 60), PER_EPOCH, EPOCHS), factors[50:60])


def test_warm_up_is_linear_over_its_epochs():
    factors = Schedule(warmup_epochs=4).factors(range(TOTAL), PER_EPOCH, EPOCHS)
    assert factors[:20].tolist() == pytest.approx([(step + 1) / 20 for step in range(20)])
    assert factors[20:].unique().tolist() == [1.0]
