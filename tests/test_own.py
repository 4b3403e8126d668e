"""A module and functions of one's own: trained, resumed, predicted with, exported, and refused where they cannot be."""

import json
import shutil
import sys

import numpy as np
import pytest
import torch

import fit as library
from fit.catalog.activations import ACTIVATIONS, Activation
from fit.catalog.losses import LOSSES, Loss
from fit.doctor.__main__ import main as doctor
from fit.errors import FitError
from fit.export.__main__ import main as export
from fit.predict.__main__ import main as predict

MODULE = """
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self, inputs, outputs, width=6):
        super().__init__()
        self.first = nn.Linear(inputs, width)
        self.skip = nn.Linear(inputs, outputs, bias=False)
        self.last = nn.Linear(width, outputs)

    def forward(self, x):
        return self.last(torch.tanh(self.first(x))) + self.skip(x)


class Plain(nn.Sequential):
    def __init__(self, inputs, outputs):
        super().__init__(nn.Linear(inputs, 8), nn.GELU(), nn.Linear(8, outputs))


class Dropping(Plain):
    def forward(self, x):
        return nn.functional.dropout(super().forward(x))


class Wide(Plain):
    def forward(self, x):
        return torch.cat([super().forward(x)] * 2, -1)


class Empty(nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()


def bump(x):
    return torch.exp(-x * x)


def total(x):
    return x.sum()


def pinball(error):
    return torch.maximum(0.9 * error, -0.1 * error)
"""
NET = ("model=custom", "model.module=own_module.Net")
QUICK = ("data=xy_square", "data.points=60", "data.batch_size=20", "trainer.max_epochs=4", "logger=none")
QUICK += ("trainer.check_val_every_n_epoch=2", "doctor.before=off")


@pytest.fixture
def own(tmp_path, monkeypatch):
    """Put the module beside the runs."""
    (tmp_path / "own_module.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path)
    sys.modules.pop("own_module", None)


def theta(folder):
    return torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)["theta"]


def test_the_same_layers_as_a_module_are_trained_to_the_same_weights(fit, own):
    ours = fit(*QUICK, "model.hidden=[8]", "model.activation=gelu", "trainer.precision=64-true")
    theirs = fit(*QUICK, "model=custom", "model.module=own_module.Plain", "trainer.precision=64-true")
    assert theirs.err == ""
    assert "model      own_module.Plain(3, 1); 41 parameters" in theirs.out
    weight, offset, last, end = torch.split(theta(theirs.folder), [24, 8, 8, 1])
    same = torch.cat([weight.reshape(8, 3).T.flatten(), offset, last, end])  # torch's layers are the other way round
    assert torch.allclose(theta(ours.folder), same, rtol=1e-10, atol=1e-12)
    assert theirs.metrics["val/rmse"] == pytest.approx(ours.metrics["val/rmse"], rel=1e-9)


def test_a_module_is_trained_in_sweeps_folds_and_ensembles_as_it_is_alone(fit, own, tmp_path):
    settings = [*NET, "+model.settings.width=5", *QUICK, "trainer.gradient_clip_val=1", "regularization.l2=1e-4"]
    fit("-m", *settings, "seed=3,4", "optimizer.lr=0.01,0.02", "hydra.sweep.dir=s", "sweep.figures=none")
    alone = fit(*settings, "seed=4", "optimizer.lr=0.02")
    assert torch.allclose(theta(tmp_path / "s" / "3"), theta(alone.folder), rtol=1e-4, atol=1e-6)
    ensemble = fit(*settings, "ensemble=2", "seed=3", "optimizer.lr=0.02")
    assert torch.allclose(theta(ensemble.folder / "members" / "1"), theta(alone.folder), rtol=1e-4, atol=1e-6)
    folds = fit(*settings, "cv=3")
    assert (folds.code, folds.metrics["members"]) == (0, 3)


def test_a_module_resumes_bitwise_and_only_for_whom_trusts_it(fit, own, tmp_path):
    whole = fit(*NET, *QUICK, "hydra.run.dir=whole", "scheduler=constant")
    fit(*NET, *QUICK, "hydra.run.dir=cut", "scheduler=constant", "trainer.max_epochs=2")
    refused = fit("resume=cut", "trainer.max_epochs=4")
    assert refused.code == 2
    assert "cut names code to be run, model.module=own_module.Net" in refused.err
    resumed = fit("resume=cut", "trainer.max_epochs=4", "+model.module=own_module.Net")
    assert resumed.code == 0
    assert torch.equal(theta(tmp_path / "cut"), theta(whole.folder))
    assert library.load("cut", trust=True).metrics["epochs"] == 4


def test_a_module_answers_and_is_exported_for_whom_trusts_it(fit, own, capfd, tmp_path):
    run = fit(*NET, *QUICK, "hydra.run.dir=r")
    assert predict(["r", "x=1", "y=2", "1=1"]) == 2
    assert "made by model.module=own_module.Net: if you trust it, give --trust" in capfd.readouterr().err
    with pytest.raises(FitError, match=r"in Python, trust=True"):
        library.load("r").predict(np.ones((1, 3)))
    assert predict(["r", "x=1", "y=2", "1=1", "--trust"]) == 0
    answer = float(capfd.readouterr().out.split(" = ")[1])
    assert library.load("r", trust=True).predict([[1.0, 2.0, 1.0]]).item() == pytest.approx(answer, rel=1e-5)
    assert export(["r", "--format", "pt2"]) == 2
    assert export(["r", "--format", "pt2", "--trust"]) == 0
    there = torch.export.load(run.folder / "network.pt2").module()(torch.tensor([[1.0, 2.0, 1.0]]).double())
    assert there.item() == pytest.approx(answer, rel=1e-5)
    capfd.readouterr()
    for kind in ("c", "python"):
        assert export(["r", "--format", kind, "--trust"]) == 2
        assert f"--format {kind} writes layers" in capfd.readouterr().err
    assert doctor(["r"]) == 2
    assert doctor(["r", "--trust"]) == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["model=custom"], "model.module is missing"),
        (["model=custom", "model.module=Net"], "model.module=Net is not allowed: give MODULE.CLASS"),
        (["model=custom", "model.module=own_module.None"], "model.module=own_module.None cannot be imported"),
        ([*NET, "+model.settings.depth=3"], "unexpected keyword argument 'depth'"),
        ([*NET, "engine=kernel"], "engine=kernel needs a network of layers; give engine=auto."),
        ([*NET, "model.hidden=[3]"], "model.hidden is a setting of model=linear"),
        ([*NET, "+model.nope=1"], "model.nope=1 is not a setting: model has module, settings."),
        (["model=custom", "model.module=own_module.bump"], "cannot be made of 3 inputs, 1 outputs"),
        (["model=custom", "model.module=own_module.Dropping"], "without random numbers such as Dropout's"),
        (["model=custom", "model.module=own_module.Wide"], "it must map [rows, 3] to [rows, 1]"),
        (["model=custom", "model.module=own_module.Empty"], "has no parameters"),
        (["model.activation=own_module.nope"], "model.activation=own_module.nope cannot be imported"),
        (["model.activation=own_module.total"], "give a torch function that computes each number by itself"),
        (["loss=own_module.Net"], "loss=own_module.Net cannot be computed"),
        (["loss=own_module.pinball", "engine=kernel"], "engine=kernel is not possible with a function of your own"),
    ],
)
def test_what_cannot_be_trained_is_refused_in_a_sentence(fit, own, tmp_path, arguments, words):
    run = fit(*arguments, *QUICK)
    assert (run.code, run.err.count("\n")) == (2, 1)
    assert words in run.err
    assert not (tmp_path / "outputs").exists() or not list((tmp_path / "outputs").rglob("metrics.json"))


def test_functions_of_ones_own_are_trained_diagnosed_and_exported_as_torch(fit, own, capfd):
    run = fit(*QUICK, "model.hidden=[8]", "model.activation=own_module.bump", "loss=own_module.pinball")
    assert (run.code, run.err) == (0, "")
    assert "3 → 8 → 1, own_module.bump" in run.out
    residuals = library.load(run.folder, trust=True)
    assert np.isfinite(residuals.predict(np.zeros((2, 3)))).all()
    assert doctor([str(run.folder), "--trust"]) == 0
    assert export([str(run.folder), "--format", "pt2", "--trust"]) == 0
    capfd.readouterr()
    assert export([str(run.folder), "--format", "c", "--trust"]) == 2
    assert "--format c is not possible with own_module.bump, a function of your own" in capfd.readouterr().err
    assert predict([str(run.folder), "x=1", "y=2", "1=1"]) == 2


def test_a_quantile_loss_of_ones_own_finds_the_quantile(fit, own, tmp_path):
    generator = np.random.default_rng(0)
    np.savez(tmp_path / "noise.npz", inputs=np.zeros((2000, 1)), targets=generator.exponential(size=(2000, 1)))
    train = ["data=arrays", "data.path=noise.npz", "model=linear", "loss=own_module.pinball", "logger=none"]
    run = fit(*train, "data.scale_targets=none", "trainer.max_epochs=200", "data.batch_size=null", "optimizer.lr=0.05")
    answer = library.load(run.folder).predict(np.zeros((1, 1))).item()
    # Of errors output - target, 0.9 * positive ones weigh as much as 0.1 * negative ones at the lowest tenth.
    assert answer == pytest.approx(-np.log(0.9), abs=0.03)


def test_an_entry_in_the_catalog_is_all_that_a_name_takes(fit, monkeypatch, tmp_path, capfd):
    cube = Activation(
        lambda torch: lambda x: x + x**3,
        lambda torch: lambda gradient, x: gradient * (1 + 3 * x**2),
        c="x + x * x * x",
        numpy="sums + sums**3",
    )
    fourth = Loss(lambda torch: lambda error: error**4, lambda torch: lambda error: 4 * error**3)
    monkeypatch.setitem(ACTIVATIONS, "cube", cube)
    monkeypatch.setitem(LOSSES, "fourth", fourth)
    run = fit(*QUICK, "model.hidden=[6]", "model.activation=cube", "loss=fourth", "optimizer.lr=1e-3")
    assert (run.code, run.err) == (0, "")
    error = library.load(run.folder).predict(np.array([[0.5, 0.5, 1.0]])).item()
    assert doctor([str(run.folder)]) == 0
    for kind, ending in (("python", "py"), ("c", "h"), ("pt2", "pt2")):
        assert export([str(run.folder), "--format", kind]) == 0
        assert (run.folder / f"network.{ending}").is_file()
    sys.path.insert(0, str(run.folder))
    try:
        from network import predict as exported
    finally:
        sys.path.remove(str(run.folder))
        del sys.modules["network"]
    assert exported(np.array([0.5, 0.5, 1.0])).item() == pytest.approx(error, rel=1e-5)
    shutil.rmtree(run.folder / "figures", ignore_errors=True)
    assert json.loads((run.folder / "metrics.json").read_text())["val/loss"] > 0
