"""`python -m fit.doctor RUN_FOLDER --cure`: what is prescribed is trained, and told to work only where it does."""

import json

import pytest

from doctor.cases import formula, table
from fit.doctor.__main__ import main as doctor
from fit.doctor.__main__ import try_cures
from fit.doctor.cases import case_of_folder
from fit.doctor.cures.attempt import format_errors
from fit.doctor.finding import Diagnosis, Finding
from fit.folder import RunFolder
from fit.sweep.results.jobs import StoredJob


def diagnosis(folder):
    return json.loads((folder / "diagnosis.json").read_text())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("experiment", "first", "more"),
    [
        ("a1_raw", "target_constant", ["trainer.max_epochs=20"]),
        ("a1_cured", "target_constant", ["trainer.max_epochs=20"]),
        ("a3_exploding", "step_too_large", []),
        ("a3_slow", "inputs_unscaled", ["trainer.max_epochs=2000"]),
        ("a4_shifted", "output_range", ["trainer.max_epochs=100"]),
    ],
)
def test_the_articles_failures_are_cured(fit, capfd, experiment, first, more):
    run = fit(f"experiment={experiment}", *more, "logger=none", "figures=true")
    assert diagnosis(run.folder)["findings"][0]["id"] == first
    assert doctor([str(run.folder), "--cure"]) == 0
    out = capfd.readouterr().out
    assert "cured, the largest error is" in out
    assert "no better" not in out
    assert (run.folder / "figures" / "cure.png").stat().st_size > 10_000
    after = diagnosis(run.folder / "cures" / "1")
    assert after["healthy"] or after["findings"][0]["id"] != first


def test_what_the_picture_says_of_a_cure_are_its_errors(fit):
    run = fit("data=random_linear", "trainer.max_epochs=1", "logger=none")
    folder = RunFolder(run.folder)
    line = format_errors(case_of_folder(folder, StoredJob(folder).cfg))
    for key in ("train/rmse", "train/r2", "val/rmse", "val/r2"):
        assert f"{run.metrics[key]:.6g}".replace("-", "−") in line


def test_a_cure_that_does_not_work_is_said_not_to(fit, capfd):
    run = fit("data=random_linear", "trainer.max_epochs=3", "logger=none")
    folder = RunFolder(run.folder)
    prescribed = [Finding("bad_start", "possible", {}, "", ["seed=7"])]
    capfd.readouterr()
    assert try_cures(folder, StoredJob(folder).cfg, Diagnosis(False, prescribed)) == 1
    out = capfd.readouterr().out
    assert out.count("tried  ") == out.count("no better, the largest error is") == 1
    assert "No prescription helped." in out
    assert doctor([str(run.folder), "--cure"]) == 1
    assert "There is no setting to try." in capfd.readouterr().out


@pytest.mark.slow
def test_what_is_prescribed_to_a_cure_that_failed_is_tried_next(fit, capfd):
    """Two units behind a sigmoid: once the range is right, the network is too small."""
    run = fit(
        "data=expression",
        'data.targets={wave: "sin(3*x)*exp(-x)"}',
        "data.domain={x: [-3, 3]}",
        "data.points=64",
        "data.batch_size=null",
        "model=mlp_sigmoid",
        "model.output_activation=sigmoid",
        "model.hidden=[2]",
        "optimizer.lr=3",
        "trainer.max_epochs=5",
        "logger=none",
    )
    assert doctor([str(run.folder), "--cure"]) == 0
    told = capfd.readouterr().out
    tried = [line for line in told.splitlines() if line.startswith("tried  ")]
    assert len(set(tried)) == len(tried) > 1
    assert "model.hidden" not in tried[0]
    assert "model.output_activation=identity" in tried[-1]
    assert "model.hidden=[64, 64]" in tried[-1]
    assert told.count("better, the largest error is") == len(tried) - 1
    assert told.count("cured, the largest error is") == 1


def test_cures_that_one_stack_can_train_are_trained_together_and_told_side_by_side(fit, capfd):
    small = ("data.points=256", "data.batch_size=16", "trainer.max_epochs=200", "model.hidden=[8]", "logger=none")
    run = fit("optimizer.lr=1e-7", *small)
    cures = [["optimizer.lr=1e-6"], ["optimizer.lr=0.01"], ["optimizer.lr=0.02", "trainer.max_epochs=400"]]
    prescribed = [Finding("step_too_small", "certain", {}, "", cure) for cure in cures]
    folder = RunFolder(run.folder)
    capfd.readouterr()
    assert try_cures(folder, StoredJob(folder).cfg, Diagnosis(False, prescribed)) == 0
    told = capfd.readouterr().out
    assert [line.split() for line in told.splitlines() if line.split()[:1] == ["before"]] == [
        ["before", "after", "1", "after", "2"]
    ]
    assert "1: no better" in told
    assert "2: cured" in told
    assert not (folder.path / "cures" / "3").exists()  # it takes longer, and was not needed
    alone = fit("optimizer.lr=0.01", *small)
    theirs = json.loads((folder.path / "cures" / "2" / "metrics.json").read_text())
    assert theirs["train/loss"] == json.loads((alone.folder / "metrics.json").read_text())["train/loss"]


@pytest.mark.slow
def test_noise_is_not_cured_by_learning_it(fit, capfd):
    """The error is the noise, 0.05: longer training learns the noise of the training rows."""
    run = fit(*table("product_noise", "a,b", "c"), "trainer.max_epochs=200", "logger=none")
    assert diagnosis(run.folder)["healthy"]
    assert run.metrics["val/rmse"] == pytest.approx(0.05, rel=0.25)
    folder = RunFolder(run.folder)
    prescribed = [Finding("too_few_epochs", "likely", {}, "", ["trainer.max_epochs=1000"])]
    capfd.readouterr()
    assert try_cures(folder, StoredJob(folder).cfg, Diagnosis(False, prescribed)) == 1
    told = capfd.readouterr().out
    assert "no better, the largest error is" in told or "worse, the largest error is" in told
    after = json.loads((run.folder / "cures" / "1" / "metrics.json").read_text())
    assert f"{after['val/rmse']:.6g}" in told
    assert after["train/rmse"] < run.metrics["train/rmse"]


@pytest.mark.slow
def test_the_same_settings_in_another_order_are_one_cure(fit, capfd):
    run = fit("optimizer.lr=1e-7", "data.points=64", "trainer.max_epochs=20", "model.hidden=[8]", "logger=none")
    cure = ["optimizer.lr=1e-6", "regularization.l2=0.001"]
    prescribed = [Finding("step_too_small", "certain", {}, "", each) for each in (cure, cure[::-1])]
    folder = RunFolder(run.folder)
    capfd.readouterr()
    try_cures(folder, StoredJob(folder).cfg, Diagnosis(False, prescribed))
    told = capfd.readouterr().out
    assert told.count("tried  optimizer.lr=1e-6 regularization.l2=0.001\n") == 1
    assert "regularization.l2=0.001 optimizer.lr=1e-6" not in told


@pytest.mark.slow
def test_a_cure_leaves_out_an_early_stopping_that_would_end_it(fit, capfd):
    settings = (*formula("x**2", -500, 500), "early_stopping.patience=5", "trainer.check_val_every_n_epoch=1")
    run = fit(*settings, "model=mlp_relu", "model.hidden=[8]", "optimizer.lr=1e-3", "logger=none")
    assert "early_stopping.patience=null" in diagnosis(run.folder)["findings"][0]["cure"]
    assert doctor([str(run.folder), "--cure"]) == 0
    assert "cured, the largest error" in capfd.readouterr().out
