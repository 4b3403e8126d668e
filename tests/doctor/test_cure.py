"""`python -m fit.doctor RUN_FOLDER --cure`: what is prescribed is trained, and told to work only where it does."""

import json

import pytest

from fit.doctor.__main__ import main as doctor
from fit.doctor.__main__ import try_cures
from fit.doctor.finding import Diagnosis, Finding
from fit.folder import RunFolder
from fit.sweep.stored import StoredJob


def diagnosis(folder):
    return json.loads((folder / "diagnosis.json").read_text())


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
    run = fit(f"experiment={experiment}", *more, "logger=none")
    assert diagnosis(run.folder)["findings"][0]["id"] == first
    assert doctor([str(run.folder), "--cure"]) == 0
    out = capfd.readouterr().out
    assert "cured: " in out
    assert "NOT cured" not in out
    assert (run.folder / "figures" / "cure.png").stat().st_size > 10_000
    after = diagnosis(run.folder / "cures" / "1")
    assert after["healthy"] or after["findings"][0]["id"] != first


def test_a_cure_that_does_not_work_is_said_not_to(fit, capfd):
    """A jump in two dimensions, from 40 points: no smooth network gets to a tenth of the error."""
    jump = "where(a<0,0,1)+where(b<0,0,1)-2*where(a<0,0,1)*where(b<0,0,1)"
    domain = "data.domain={a: [-1, 1], b: [-1, 1]}"
    run = fit(
        "data=expression",
        f'data.targets={{y: "{jump}"}}',
        domain,
        "data.points=40",
        "data.batch_size=null",
        "model=mlp_relu",
        "model.hidden=[2]",
        "trainer.max_epochs=300",
        "logger=none",
    )
    assert doctor([str(run.folder), "--cure"]) == 1
    out = capfd.readouterr().out
    assert out.count("tried  ") == out.count("NOT cured: ") > 0  # no two of them fit into one stack
    assert "Nothing that was prescribed cured it." in out


def test_cures_that_one_stack_can_train_are_trained_together_and_told_side_by_side(fit, capfd):
    run = fit("data=xy_square", "optimizer.lr=1e-7", "trainer.max_epochs=200", "model.hidden=[8]", "logger=none")
    cures = [["optimizer.lr=1e-6"], ["optimizer.lr=0.01"], ["optimizer.lr=0.02", "trainer.max_epochs=400"]]
    prescribed = [Finding("step_too_small", "certain", {}, "", cure) for cure in cures]
    folder = RunFolder(run.folder)
    capfd.readouterr()
    assert try_cures(folder, StoredJob(folder).cfg, Diagnosis(False, prescribed)) == 0
    told = capfd.readouterr().out
    assert [line.split() for line in told.splitlines() if line.split()[:1] == ["before"]] == [
        ["before", "after", "1", "after", "2"]
    ]
    assert "1: NOT cured" in told
    assert "2: cured" in told
    assert not (folder.path / "cures" / "3").exists()  # it takes longer, and was not needed
    alone = fit("data=xy_square", "optimizer.lr=0.01", "trainer.max_epochs=200", "model.hidden=[8]", "logger=none")
    theirs = json.loads((folder.path / "cures" / "2" / "metrics.json").read_text())
    assert theirs["train/loss"] == json.loads((alone.folder / "metrics.json").read_text())["train/loss"]
