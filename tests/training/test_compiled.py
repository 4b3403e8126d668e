"""Compiled steps do what eager steps do."""

import json

import pytest
import torch

QUICK = ("data.points=40", "data.batch_size=6", "model.hidden=[5]", "logger=none", "trainer.max_epochs=30")


@pytest.mark.slow
@pytest.mark.parametrize(
    "settings",
    [
        ("optimizer=radam", "trainer.gradient_clip_val=0.5", "regularization.l2=1e-3", "model=mlp_tanh"),
        (
            "optimizer=adamw",
            "scheduler=one_cycle",
            "trainer.precision=64-true",
            "model.activation=mish",
            "loss=log_cosh",
        ),
    ],
    ids=lambda settings: settings[0],
)
def test_compiled_runs_end_where_eager_ones_do(fit, settings):
    compiled = fit(*QUICK, *settings, "engine=compiled", "optimizer.lr=1e-2")
    eager = fit(*QUICK, *settings, "engine=eager", "optimizer.lr=1e-2")
    ours, theirs = compiled.checkpoint(), eager.checkpoint()
    torch.testing.assert_close(ours["theta"], theirs["theta"], rtol=1e-4, atol=1e-5)
    assert ours["optimizer"].keys() == theirs["optimizer"].keys()
    assert ours["step"] == theirs["step"] == 210
    for row, other in zip(compiled.history, eager.history, strict=True):
        for key in ("epoch", "train/loss", "val/loss", "lr", "grad_norm", "train/pass_loss"):
            assert row[key] == pytest.approx(other[key], rel=1e-3, nan_ok=True)


@pytest.mark.slow
def test_members_leave_a_compiled_stack_and_a_compiled_run_goes_on_eagerly(fit, tmp_path):
    sweep = ("-m", *QUICK[:-1], "trainer.max_epochs=10,30", "seed=0,1,2", "optimizer.lr=1e-2", "sweep.figures=none")
    for compiled in ("compiled", "eager"):
        done = fit(*sweep, f"engine={compiled}", f"hydra.sweep.dir=s_{compiled}")
        assert done.code == 0, done.err
    for number in range(6):
        ours, theirs = (
            json.loads((tmp_path / f"s_{each}/{number}/metrics.json").read_text()) for each in ("compiled", "eager")
        )
        assert ours["epochs"] == theirs["epochs"]
        assert ours["val/rmse"] == pytest.approx(theirs["val/rmse"], rel=1e-3)
    more = fit("resume=s_compiled/5", "engine=eager", "trainer.max_epochs=40")
    assert more.code == 0
    assert more.metrics["epochs"] == 40


def test_what_cannot_be_compiled_is_refused(fit, monkeypatch):
    done = fit(*QUICK, "engine=compiled", "model.dropout=0.1")
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert "engine=compiled is not possible with model.dropout" in done.err
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr("torch._inductor.config.cpp.cxx", ("no-such-compiler",))
    done = fit(*QUICK, "engine=compiled")
    assert "engine=compiled needs a C++ compiler" in done.err
    assert done.code == 2


def test_the_setting_of_before_is_told_its_new_name(fit):
    done = fit("compile=true")
    assert done.code == 2
    assert done.err == (
        "fit: compile is now engine: give engine=compiled for compile=true, engine=eager for compile=false.\n"
    )


def test_a_run_of_the_version_before_goes_on(fit):
    run = fit(*QUICK, "doctor.before=off")
    config = run.folder / ".hydra" / "config.yaml"
    config.write_text(config.read_text().replace("engine: auto", "compile: false"))
    checkpoint = run.folder / "checkpoints" / "last.ckpt"
    stored = torch.load(checkpoint, weights_only=True)
    del stored["config"]["engine"]
    stored["config"]["compile"] = False
    torch.save(stored, checkpoint)
    more = fit(f"resume={run.folder}", "trainer.max_epochs=32")
    assert more.code == 0, more.err
    assert more.metrics["epochs"] == 32
