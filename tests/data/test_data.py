"""Data sets, scalers and batches."""

import pytest
import torch

from fit.data.batches import Batches
from fit.data.datamodule import DataModule
from fit.data.datasets.multi_function import MultiFunction
from fit.data.datasets.random_linear import RandomLinear
from fit.data.datasets.temperature import Temperature
from fit.data.datasets.xy_ring import XYRing
from fit.data.datasets.xy_square import XYSquare
from fit.data.problem import pose
from fit.data.scalers import Scaler

ALL = [XYSquare(), XYRing(), XYRing(labels="scaled"), Temperature(), MultiFunction(shift=10.0), RandomLinear()]


@pytest.mark.parametrize("dataset", ALL)
def test_every_data_set_keeps_its_word(dataset):
    train, fresh = dataset.split()
    assert train.inputs.shape[1] == len(dataset.input_names)
    assert train.targets.shape[1] == len(dataset.target_names)
    assert "val" in fresh
    for rows in fresh.values():
        assert rows.inputs.shape[1:] == train.inputs.shape[1:]
        assert not {tuple(row) for row in rows.inputs.tolist()} & {tuple(row) for row in train.inputs.tolist()}
    assert torch.equal(dataset.split()[0].inputs, train.inputs)


@pytest.mark.parametrize("dataset", ALL)
def test_held_out_and_kept_rows_are_the_rows(dataset):
    held_out = type(dataset)(**(dataset.__dict__ | {"val_fraction": 0.25}))
    train, fresh = held_out.split()
    together = torch.cat([train.inputs, fresh["val"].inputs]).tolist()
    assert sorted(together) == sorted(dataset.rows().inputs.tolist())
    assert len(fresh["val"].inputs) == round(0.25 * len(together))


def test_ring_is_the_ring_of_the_article():
    labels = XYRing().rows().targets
    assert float(labels.mean()) == pytest.approx(196.3, abs=0.05)
    assert float(labels.std()) == pytest.approx(1.7, abs=0.05)
    scaled = XYRing(labels="scaled").rows().targets
    assert float(scaled.mean()) == pytest.approx(1.944, abs=0.001)
    assert float(scaled.var()) == pytest.approx(2.8e-6, rel=0.05)
    assert len(XYRing().fresh()["square"].inputs) >= 1000


def test_temperature_is_judged_by_definition():
    rows = Temperature().fresh()["val"]
    for fahrenheit, celsius in ((32.0, 0.0), (50.0, 10.0), (77.0, 25.0)):
        nearest = (rows.inputs - fahrenheit).abs().argmin()
        assert float(rows.targets[nearest]) == pytest.approx(celsius, abs=0.5)


def test_noise_has_its_deviation_and_spares_the_points_one_is_judged_on():
    noisy, clean = XYSquare(points=4096, noise=3.0), XYSquare(points=4096)
    difference = noisy.rows().targets - clean.rows().targets
    assert float(difference.std()) == pytest.approx(3.0, rel=0.05)
    assert torch.equal(noisy.fresh()["val"].targets, clean.fresh()["val"].targets)


@pytest.mark.parametrize("kind", ["standardize", "minmax", "none", 0.1])
def test_scalers_go_there_and_back_and_leave_ones_alone(kind):
    values = torch.tensor([[1.0, 5.0, 1.0], [2.0, -3.0, 1.0], [6.0, 0.0, 1.0]], dtype=torch.float64)
    scaler = Scaler.fit(kind, values)
    scaled = scaler.transform(values)
    torch.testing.assert_close(scaler.inverse_transform(scaled), values)
    assert torch.equal(scaled[:, 2], values[:, 2])
    if kind == "standardize":
        torch.testing.assert_close(scaled[:, :2].mean(0), torch.zeros(2, dtype=torch.float64))
        torch.testing.assert_close(scaled[:, :2].std(0), torch.ones(2, dtype=torch.float64))
    if kind == "minmax":
        assert (scaled[:, :2].amin(0).tolist(), scaled[:, :2].amax(0).tolist()) == ([0, 0], [1, 1])
    if kind == 0.1:
        torch.testing.assert_close(scaled[:, 0], torch.tensor([0.1, 0.2, 0.6], dtype=torch.float64))


def test_scalers_know_nothing_of_held_out_rows():
    problem = pose(XYRing(val_fraction=0.5))
    torch.testing.assert_close(problem.input_scaler.center[:2], problem.train.inputs[:, :2].mean(0))
    assert len(problem.train.inputs) == 18


def test_a_pass_takes_every_row_once_and_keeps_the_smaller_last_batch():
    rows = torch.arange(10.0).reshape(1, 10, 1)
    batches = Batches(rows, -rows, 4, [0])
    passes = [
        [(inputs.flatten().tolist(), targets.flatten().tolist()) for inputs, targets in batches] for _ in range(2)
    ]
    assert [len(inputs) for inputs, _ in passes[0]] == [4, 4, 2] == [len(inputs) for inputs, _ in passes[1]]
    for each in passes:
        assert sorted(value for inputs, _ in each for value in inputs) == list(range(10))
        assert all(target == -value for inputs, targets in each for value, target in zip(inputs, targets, strict=True))
    assert passes[0] != passes[1]


def test_a_member_sees_the_same_order_in_any_company():
    rows = torch.arange(12.0).reshape(1, 12, 1)
    alone = [inputs[0].tolist() for inputs, _ in Batches(rows, rows, 5, [3])]
    company = [inputs[1].tolist() for inputs, _ in Batches(rows, rows, 5, [8, 3, 5])]
    own_rows = [inputs[1].tolist() for inputs, _ in Batches(rows.repeat(3, 1, 1), rows.repeat(3, 1, 1), 5, [8, 3, 5])]
    assert alone == company == own_rows


def test_members_with_equal_data_share_one_copy():
    ring, raw = pose(XYRing()), pose(XYRing(scale_inputs="none"))
    shared = DataModule([ring, ring], [0, 1])
    apart = DataModule([ring, raw], [0, 1])
    assert shared.regions[0].inputs.shape[0] == 1
    assert apart.regions[0].inputs.shape[0] == 2
