"""A search that goes on, by the same seed or after a kill."""

import fcntl
import os
import subprocess
import sys
from pathlib import Path

import pytest

from studies import read_study
from test_resume import wait_for

RATE = "optimizer.lr=tag(log, interval(1e-4, 1))"
BATCH = "data.batch_size=range(8,64,8)"


def test_same_seed_same_trials_in_one_go_or_two(search):
    # The first ten are drawn at random; from there on values count, too.
    settings = (RATE, BATCH, "model.hidden=choice([16],[64,64])", "hydra.sweeper.n_jobs=10")
    first = search("hydra.sweeper.n_trials=11", *settings).params
    search("hydra.sweeper.n_trials=10", *settings, folder="again")
    again = search("hydra.sweeper.n_trials=11", *settings, "sweep.resume=again", folder="again").params
    assert len(first) == 11
    assert len({trial["optimizer.lr"] for trial in first}) == 11
    assert first == again
    other = search("hydra.sweeper.n_trials=1", "hydra.sweeper.seed=1", *settings, folder="other").params
    assert other[0] not in first


@pytest.mark.slow
def test_killed_and_continued_is_the_search_never_killed(search, tmp_path):
    settings = ("hydra.sweeper.n_trials=5", "hydra.sweeper.n_jobs=2", RATE, BATCH)
    stuck = (
        "import time; from fit.hydra_adapter.command import command; calls = []\n"
        "command(lambda cfg: calls.append(cfg) or (time.sleep(600) if len(calls) == 4 else cfg.optimizer.lr))"
    )
    process = subprocess.Popen([sys.executable, "-c", stuck, *search.sweeper, "hydra.sweep.dir=found", *settings])
    wait_for(tmp_path / "found" / "3" / ".hydra")
    process.kill()
    process.communicate()
    study = read_study("found/study.db")
    assert [trial.state.name for trial in study.trials] == ["COMPLETE", "COMPLETE", "RUNNING", "RUNNING"]
    done = search(*settings, "sweep.resume=found")
    assert done.code == 0
    assert done.states == ["COMPLETE", "COMPLETE", "FAIL", "FAIL", "COMPLETE", "COMPLETE", "COMPLETE"]
    assert {path.name for path in done.folder.iterdir() if path.is_dir()} == set("0123456")
    never = search(*settings, folder="never")
    assert len({trial["optimizer.lr"] for trial in never.params}) == 5
    assert [*done.params[:2], *done.params[4:]] == never.params


def test_trials_there_count_and_a_finished_search_runs_nothing(search):
    settings = ("hydra.sweeper.storage=mine.db", "hydra.sweeper.sampler=grid", "seed=range(0,5)")
    for wanted, folder in ((2, "a"), (2, "b"), (5, "c")):
        done = search(f"hydra.sweeper.n_trials={wanted}", *settings, folder=folder)
        assert done.code == 0
        study = read_study("mine.db")
        assert len(study.trials) == wanted
    assert sorted(trial.params["seed"] for trial in study.trials) == [0, 1, 2, 3, 4]
    assert [path.name for path in Path("b").iterdir()] == ["multirun.yaml"]
    assert sorted(path.name for path in Path("c").iterdir()) == ["2", "3", "4", "multirun.yaml"]


def test_only_the_same_search_is_continued(search):
    search("hydra.sweeper.n_trials=1", "optimizer.lr=1,2")
    for arguments, words in (
        (["optimizer.lr=1,3"], ["optimizer.lr=1,3", "are of optimizer.lr=1,2"]),
        (["seed=1,2"], ["seed=1,2", "are without seed"]),
        (["optimizer.lr=1,2", "seed=3"], ["seed=3", "are without seed"]),
        (["optimizer.lr=1,2", "optimized_metric=val/r2"], ["val/r2", "val/loss"]),
        (["optimizer.lr=1,2", "hydra.sweeper.direction=maximize"], ["maximize", "minimize"]),
    ):
        done = search("sweep.resume=found", "hydra.sweeper.n_trials=1", *arguments)
        assert done.code == 2
        assert all(word in done.err for word in words), done.err
        assert done.err.count("\n") == 1
        assert len(done.states) == 1
    again = search("optimizer.lr=1,2")
    assert (again.code, len(again.states)) == (2, 1)
    assert "already holds a sweep" in again.err


def test_one_folder_is_searched_by_one_process_at_a_time(search):
    search("hydra.sweeper.n_trials=1", RATE)
    other = os.open("found", os.O_RDONLY)
    try:
        fcntl.flock(other, fcntl.LOCK_EX)
        done = search("hydra.sweeper.n_trials=2", RATE, "sweep.resume=found")
    finally:
        os.close(other)
    assert done.code == 2
    assert "in use by another process" in done.err
    assert len(done.states) == 1


def test_what_leaves_values_as_they_are_may_change_and_where_it_went_on_is_no_setting(search):
    search("hydra.sweeper.n_trials=1", RATE)
    done = search("hydra.sweeper.n_trials=2", RATE, "logger=none", "sweep.resume=found", task=lambda cfg: 1.0)
    rate = done.params[1]["optimizer.lr"]
    assert (done.folder / "1/.hydra/overrides.yaml").read_text() == f"- logger=none\n- optimizer.lr={rate}\n"
