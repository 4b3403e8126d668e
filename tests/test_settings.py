"""Whatever is typed is used, or refused by its name; what does nothing beside other settings is told before the run."""

import pytest
import torch
from hydra import compose, initialize_config_dir

import fit as library
from fit.hydra_adapter.command import CONF
from fit.settings.no_effect import without_effect

QUICK = ("data=xy_ring", "logger=none", "trainer.max_epochs=1")
OWN_DATA = """
from dataclasses import dataclass
from fit.data.datasets.xy_ring import XYRing

@dataclass(frozen=True, kw_only=True)
class Mine(XYRing):
    turn: float = 0.0
"""


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        (
            "+model._target_=my_module.Net",
            "model._target_=my_module.Net is not a setting: model has hidden, activation,",
        ),
        ("+model.activaton=tanh", "did you mean activation"),
        ("+foo.bar=1", "foo.bar=1 is not a setting; see python -m fit.train --help."),
        ("+foo={}", "foo={} is not a setting"),
        ("+sede=1", "sede=1 is not a setting (did you mean seed?)"),
        ("+trainer.devices=2", "trainer.devices=2 is not a setting: trainer has max_epochs,"),
        ("+early_stopping.wait=3", "early_stopping.wait=3 is not a setting: early_stopping has patience."),
        ("+data.folds=3", "data.folds=3 is not a setting: give cv"),
        ("+data.square_point=9", "XYRing has batch_size, val_fraction"),
        ("+data.square_point=9", "(did you mean square_points?)"),
        ("+scheduler.gamma=0.5", "scheduler.gamma=0.5 is not allowed: Cosine has warmup_epochs, final."),
        ("+optimizer.foo=1", "optimizer.foo=1 is not allowed: Adam has lr, betas"),
        ("optimizer._target_=nowhere.Adam", "cannot be imported (ModuleNotFoundError: No module named 'nowhere')"),
    ],
)
def test_what_nothing_reads_is_refused(fit, tmp_path, typed, words):
    done = fit(*QUICK, typed)
    assert done.code == 2
    assert words in done.err
    assert done.err.count("\n") == 1
    assert not list(tmp_path.rglob("metrics.json"))


def test_a_name_that_a_setting_refers_to_is_read(fit, tmp_path):
    done = fit(*QUICK, "+width=6", "model.hidden=[${oc.select:width,16}]")
    assert (done.code, done.checkpoint()["sizes"]) == (0, [3, 6, 1])
    done = fit(*QUICK, "+width=7", "model.hidden=[${width}]", "+name=mine", "hydra.run.dir=${name}_${seed}")
    assert (done.code, done.err) == (0, "")
    assert done.folder == tmp_path / "mine_0"
    assert done.checkpoint()["sizes"] == [3, 7, 1]
    # In a sweep each job refers to what was typed for it, whatever launches it.
    for launcher in ("stacked", "basic"):
        sweep = ("-m", *QUICK, f"hydra/launcher={launcher}", f"hydra.sweep.dir={launcher}", "+name=a,b")
        done = fit(*sweep, "hydra.sweep.subdir=${name}", "+width=2", "model.hidden=[${width}]", "sweep.figures=none")
        assert done.code == 0
        assert {path.name for path in (tmp_path / launcher).iterdir() if path.is_dir()} == {"a", "b"}


@pytest.mark.parametrize("launcher", ["stacked", "basic"])
def test_a_job_of_a_sweep_that_is_given_nonsense_fails_by_its_name(fit, launcher):
    done = fit("-m", *QUICK, f"hydra/launcher={launcher}", "hydra.sweep.dir=s", "+model.nonsense=1,2")
    assert done.code == 1
    assert "2 jobs: 2 failed" in done.out
    assert "failed: s/1: model.nonsense=2 is not a setting: model has hidden" in done.out


def test_python_and_a_search_refuse_it_too(fit):
    with pytest.raises(library.FitError, match="foo=1 is not a setting"):
        library.run(*QUICK, "+foo=1")
    with pytest.raises(library.FitError, match=r"data.path=mine.npz and data=... are both given"):
        library.run("data.path=mine.npz", data=([1.0, 2.0], [1.0, 2.0]))
    done = fit("-m", *QUICK, "hydra/sweeper=optuna", "optimizer.lr=choice(1e-2,1e-3)", "+foo=1")
    assert (done.code, done.err) == (2, "fit: foo=1 is not a setting; see python -m fit.train --help.\n")


def test_groups_and_classes_of_ones_own_are_used(fit, tmp_path, monkeypatch):
    (tmp_path / "mine.py").write_text(OWN_DATA)
    monkeypatch.syspath_prepend(tmp_path)
    for path, text in {
        "data/mine.yaml": "defaults: [xy_ring, _self_]\n_target_: mine.Mine\nturn: 1.5\n",
        "size/big.yaml": "# @package _global_\nmodel: {hidden: [9]}\n",
        "width/some.yaml": "first: 4\n",
    }.items():
        (tmp_path / "conf" / path).parent.mkdir(parents=True)
        (tmp_path / "conf" / path).write_text(text)
    own = ("--config-dir", "conf", "logger=none", "trainer.max_epochs=1", "data=mine")
    assert fit(*own, "+size=big").checkpoint()["sizes"] == [3, 9, 1]
    assert fit(*own, "+width=some", "model.hidden=[${width.first}]").checkpoint()["sizes"] == [3, 4, 1]
    assert "width.first=4 is not a setting" in fit(*own, "+width=some").err
    assert "data.spin=1 is not allowed: Mine has" in fit(*own, "+data.spin=1").err


def test_an_older_run_goes_on_whatever_it_holds_but_takes_no_more_of_it(fit):
    run = fit(*QUICK, "hydra.run.dir=old")
    config = run.folder / ".hydra" / "config.yaml"
    config.write_text(config.read_text() + "foo:\n  bar: 1\n")
    stored = run.checkpoint()
    stored["config"]["foo"] = {"bar": 1}
    torch.save(stored, run.folder / "checkpoints" / "last.ckpt")
    assert library.load(run.folder).metrics["epochs"] == 1
    assert fit("resume=old", "trainer.max_epochs=2").metrics["epochs"] == 2
    assert "foo.bar=2 is not a setting" in fit("resume=old", "+foo.bar=2").err
    assert "does not go with resume=old" in fit("resume=old", "hydra.run.dir=new").err


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        (
            ("early_stopping.patience=5", "trainer.max_epochs=40"),
            "early_stopping.patience=5 acts after 10 epochs without a lower val/loss: "
            "the run is looked at every trainer.check_val_every_n_epoch=10.",
        ),
        (("early_stopping.patience=50", "trainer.max_epochs=60"), ""),
        (("early_stopping.patience=40", "trainer.max_epochs=40"), "early_stopping.patience=40 does nothing: "),
        (("trainer.gradient_clip_algorithm=value",), "gradient_clip_algorithm=value does nothing: "),
        (("trainer.gradient_clip_algorithm=value", "trainer.gradient_clip_val=1"), ""),
        (("model.hidden=[]", "model.dropout=0.1"), "model.dropout=0.1 does nothing: model.hidden=[] has no hidden"),
        (("model=linear", "model.activation=tanh"), "model.activation=tanh does nothing: "),
        (("model.bias=false", "model.init={weight:1,bias:2}"), "The bias of model.init={weight: 1, bias: 2} does"),
        (("scheduler=step", "trainer.max_epochs=30"), "scheduler.step_size=30 does nothing: "),
        (("scheduler=step", "trainer.max_epochs=31"), ""),
        (("cv=3", "data.val_fraction=0.5"), "data.val_fraction=0.5 does nothing: cv says"),
    ],
)
def test_settings_that_do_nothing_are_named(typed, told):
    with initialize_config_dir(str(CONF), version_base="1.3"):
        cfg = compose("train", list(typed))
    sentences = list(without_effect(cfg, lambda: [line.partition("=")[0] for line in typed]))
    assert len(sentences) == bool(told) + (typed[0] == "model.hidden=[]")
    assert not told or any(told in sentence for sentence in sentences)


def test_they_are_told_before_the_run_and_before_a_committee(fit):
    done = fit(*QUICK, "trainer.max_epochs=12", "early_stopping.patience=5")
    before, _, after = done.out.partition("RMSE")
    assert "note       early_stopping.patience=5 acts after 10 epochs" in before
    assert "acts after" not in after
    done = fit(*QUICK, "trainer.max_epochs=12", "early_stopping.patience=5", "ensemble=2")
    assert "early_stopping.patience=5 acts after 10 epochs" in done.out.partition("2 members")[0]


@pytest.mark.parametrize("name", sorted(path.stem for path in (CONF / "experiment").glob("*.yaml")))
def test_no_experiment_sets_what_does_nothing(name):
    with initialize_config_dir(str(CONF), version_base="1.3"):
        assert list(without_effect(compose("train", [f"experiment={name}"]), tuple)) == []
