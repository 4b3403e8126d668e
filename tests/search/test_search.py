"""Searching with `hydra/sweeper=optuna`, as its user does."""

import json
import math
import subprocess
import sys

import pytest
from hydra.core.plugins import Plugins
from hydra.errors import ConfigCompositionException

from fit.errors import FitError
from fit.train import main
from studies import read_study

SWEEPER = ("-m", "hydra/sweeper=optuna", "hydra/launcher=basic")
TINY = ("trainer.max_epochs=3", "data.points=16", "logger=none")
RATE = "optimizer.lr=tag(log, interval(1e-4, 1))"
BATCH = "data.batch_size=range(8,64,8)"


def test_search_trains_and_a_diverging_trial_is_pruned_and_wins_nothing(search):
    done = search(
        "hydra.sweeper.sampler=grid", "optimizer=sgd", "optimizer.lr=1e30,1e-2", "optimized_metric=val/r2", *TINY,
        task=main,
    )  # fmt: skip
    assert (done.code, done.err) == (0, "")
    assert sorted(path.name for path in done.folder.iterdir()) == [
        *("0", "1", "best.yaml", "multirun.yaml", "study.db", "sweep.csv", "sweep.png")
    ]
    states = {trial.params["optimizer.lr"]: trial.state.name for trial in done.study.trials}
    assert states == {"1e+30": "PRUNED", "0.01": "COMPLETE"}
    assert done.study.direction.name == "MAXIMIZE"
    best = done.study.best_trial
    assert best.params == {"optimizer.lr": "0.01"}
    assert json.loads((done.folder / str(best.number) / "metrics.json").read_text())["val/r2"] == best.value


@pytest.mark.parametrize(
    ("arguments", "direction", "best"),
    [
        ([], "MINIMIZE", 1),
        (["hydra.sweeper.direction=maximize"], "MAXIMIZE", 3),
    ],
)
def test_direction_follows_what_is_compared(search, arguments, direction, best):
    done = search("hydra.sweeper.sampler=grid", "optimizer.lr=1,3", *arguments)
    assert done.study.direction.name == direction
    assert done.study.best_value == best


def test_a_failing_trial_ends_nothing_but_itself(search):
    def task(cfg):
        if cfg.seed == 1:
            raise FitError("Seed 1 is cursed.")
        return {2: None, 3: math.nan}.get(cfg.seed, 1.0)

    done = search("hydra.sweeper.sampler=grid", "hydra.sweeper.n_jobs=3", "seed=range(0,4)", task=task)
    assert done.code == 0
    states = {trial.params["seed"]: trial.state.name for trial in done.study.trials}
    assert states == {0: "COMPLETE", 1: "FAIL", 2: "FAIL", 3: "PRUNED"}
    assert "failed: Seed 1 is cursed." in done.err
    assert done.err.count("\n") == 2
    assert "Traceback" not in done.err


def test_choices_that_cannot_be_composed_together_fail_alone(search, monkeypatch):
    def legal(sweeper, batch):
        if "seed=2" in batch[0] and "optimizer.lr=1" in batch[0]:
            raise ConfigCompositionException("Seed 2 is too slow.")

    plugin = Plugins.instance().class_name_to_class["hydra_plugins.fit_optuna_sweeper.OptunaSweeper"]
    monkeypatch.setattr(plugin, "validate_batch_is_legal", legal)
    done = search("hydra.sweeper.sampler=grid", "seed=1,2", "optimizer.lr=1,2")
    assert done.code == 0
    assert sorted(done.states) == ["COMPLETE", "COMPLETE", "COMPLETE", "FAIL"]
    assert "Seed 2 is too slow" in done.err


def test_a_search_of_failures_alone_is_no_result(search):
    def task(cfg):
        raise ValueError("no way")

    done = search("hydra.sweeper.sampler=grid", "seed=1,2", task=task)
    assert done.code == 2
    assert "All 2 trials failed, the last one with: ValueError: no way." in done.err


def test_params_of_the_configuration_stand_under_the_command_line(search):
    params = 'hydra.sweeper.params={optimizer.lr: "interval(2,3)", data: {batch_size: "range(8,64,8)"}}'
    done = search("hydra.sweeper.n_trials=1", params, "data.batch_size=5")
    assert list(done.params[0]) == ["optimizer.lr"]
    assert 2 <= done.study.best_value <= 3


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], ["nothing to search", "interval("]),
        (["optimizer.lr=interval(-1,1)"], ["optimizer.lr=-0.998", "above 0"]),
        (["model=linear,nope"], ["model=nope does not exist", "mlp_gelu"]),
        (["optimizer.lrr=1,2"], ["optimizer.lrr", "did you mean optimizer.lr"]),
        (["optimized_metric=val/loss,val/r2"], ["optimized_metric", "give one"]),
        (["seed=1,2", "hydra.sweeper.n_trials=0"], ["hydra.sweeper.n_trials=0", "from 1 up"]),
        (["seed=1,2", "hydra.sweeper.sampler=tpa"], ["hydra.sweeper.sampler=tpa", "did you mean tpe"]),
        (["seed=1,2", "+hydra.sweeper.trials=1"], ["hydra.sweeper.trials", "n_trials"]),
        (['hydra.sweeper.params={seed: "range(1"}'], ["hydra.sweeper.params", "range(1"]),
        (["seed=1,2", "hydra.sweeper.storage=/etc/passwd"], ["/etc/passwd", "not a database"]),
        (["seed=1,2", "sweep.resume=found"], ["found", "is not a sweep folder"]),
        (["hydra.sweeper.sampler=grid", RATE], [RATE, "grid", "choice"]),
        (["hydra.sweeper.sampler=grid", "seed=range(0,1e6)"], ["grid", "more than 100000"]),
    ],
)
def test_bad_searches_end_in_one_sentence_and_leave_nothing(search, tmp_path, arguments, words):
    done = search(*arguments)
    assert done.code == 2
    assert all(word in done.err for word in words), done.err
    assert done.err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_without_optuna_it_says_what_to_install(search, tmp_path, monkeypatch):
    for name in ("fit.search.search", "fit.search.study", "fit.search.space", "fit.search.sampler"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setitem(sys.modules, "optuna", None)
    done = search(RATE)
    told = "fit: hydra/sweeper=optuna needs Optuna: pip install '.[optuna]' in the clone of fit.\n"
    assert (done.code, done.err) == (2, told)
    assert list(tmp_path.iterdir()) == []


def test_the_plugin_is_light():
    script = "import sys, hydra_plugins.fit_optuna_sweeper; print({'optuna', 'numpy', 'torch'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", script], capture_output=True, text=True).stdout == "set()\n"


def test_trials_are_trained_as_stacks_and_gone_on_with(fit, tmp_path):
    arguments = ("-m", "hydra/sweeper=optuna", "optimizer.lr=tag(log, interval(1e-3,1e-1))", "hydra.sweeper.n_jobs=4")
    tiny = (*TINY, "sweep.figures=none")
    done = fit(*arguments, "hydra.sweeper.n_trials=4", "hydra.sweep.dir=found", *tiny)
    assert done.code == 0, done.err
    assert "4 jobs: 4 finished" in done.out
    done = fit(*arguments, "hydra.sweeper.n_trials=6", "sweep.resume=found", *tiny)
    assert done.code == 0, done.err
    assert "6 jobs: 6 finished" in done.out
    study = read_study(tmp_path / "found" / "study.db")
    assert [trial.state.name for trial in study.trials] == ["COMPLETE"] * 6
    for trial in study.trials:
        metrics = json.loads((tmp_path / "found" / str(trial.number) / "metrics.json").read_text())
        assert metrics["val/loss"] == trial.value
