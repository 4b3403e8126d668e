"""Sweeps by the command: their folders, tables and codes, and what one job does to another."""

import csv
import json
import shlex
import shutil
from pathlib import Path

import pytest
import torch
import yaml

from fit.sweep.results.figures import Point, draw_sweep
from fit.sweep.results.table import SweepTable

QUICK = ("-m", "trainer.max_epochs=5", "data.points=20", "model.hidden=[6]", "logger=none", "sweep.figures=none")
HERE = "hydra.sweep.dir=s"


def table(folder="s"):
    with Path(f"{folder}/sweep.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def theta(folder):
    return torch.load(f"{folder}/checkpoints/last.ckpt", weights_only=True)["theta"]


def test_every_job_is_bitwise_the_same_run_alone_and_leaves_what_it_leaves(fit, tmp_path):
    swept = ("optimizer.lr=1e-2,1e-3", "data.batch_size=5,20", "seed=0,1", "logger=tensorboard", "sweep.figures=all")
    done = fit(*QUICK[:-2], HERE, *swept)
    assert done.code == 0
    for number, overrides in {
        1: "optimizer.lr=0.01 data.batch_size=5 seed=1",
        2: "optimizer.lr=0.01 data.batch_size=20 seed=0",
        4: "optimizer.lr=0.001 data.batch_size=5 seed=0",
        7: "optimizer.lr=0.001 data.batch_size=20 seed=1",
    }.items():
        folder = tmp_path / "s" / str(number)
        alone = tmp_path / f"alone_{number}"
        fit(*QUICK[1:4], "sweep.figures=all", *overrides.split(), f"hydra.run.dir={alone}")
        assert torch.equal(theta(folder), theta(alone))
        names = [
            sorted(str(path.relative_to(each)).split(".tfevents")[0] for path in each.rglob("*"))
            for each in (folder, alone)
        ]
        assert names[0] == names[1]
        ours, theirs = (json.loads((each / "metrics.json").read_text()) for each in (folder, alone))
        assert list(ours) == list(theirs)
        assert ours["val/rmse"] == pytest.approx(theirs["val/rmse"], rel=1e-5)
        assert set(overrides.split()) < set(yaml.safe_load((folder / ".hydra" / "overrides.yaml").read_text()))
        assert (folder / ".hydra" / "config.yaml").read_text() == (alone / ".hydra" / "config.yaml").read_text()
        hydra = [yaml.safe_load((each / ".hydra" / "hydra.yaml").read_text())["hydra"] for each in (folder, alone)]
        assert list(hydra[0]) == list(hydra[1])
        assert [each["mode"] for each in hydra] == ["MULTIRUN", "RUN"]


def test_the_answer(fit, tmp_path):
    done = fit(*QUICK, HERE, "optimizer.lr=1e-3,1e-1,1e-2", "seed=0,1,2", "trainer.max_epochs=20")
    rows = table()
    assert [row["job"] for row in rows] == [str(number) for number in range(9)]
    assert {row["status"] for row in rows} == {"finished"}
    for row in rows:
        assert float(row["val/rmse"]) == json.loads((tmp_path / row["folder"] / "metrics.json").read_text())["val/rmse"]
    errors = {}
    for row in rows:
        errors.setdefault(row["optimizer.lr"], []).append(float(row["val/loss"]))
    best = min(errors, key=lambda lr: sorted(errors[lr])[1])
    own, middle, _ = sorted(errors[best])
    assert done.out.splitlines()[2].split()[:3] == ["1", best, f"{middle:.6g}"]
    best_yaml = (tmp_path / "s" / "best.yaml").read_text()
    assert f"val/loss {own:.6g}, the median of its 3 seeds {middle:.6g}." in best_yaml
    shown = SweepTable(Path("s"), "val/loss")
    figure = draw_sweep([Point(each.values, each.errors) for each in shown.settings], shown.metric)
    told = figure.texts[0].get_text()
    assert told.endswith(f"median val/loss {middle:.6g} over 3 seeds; its best job {own:.6g}")
    assert "9 jobs of 3 settings: 9 finished" in done.out
    config = yaml.safe_load(best_yaml)
    assert config["optimizer"]["lr"] == float(best)
    assert (tmp_path / "s" / "sweep.png").read_bytes()[:4] == b"\x89PNG"
    again = fit("--config-dir", "s", "--config-name", "best", "hydra.run.dir=again")
    winner = min((row for row in rows if row["optimizer.lr"] == best), key=lambda row: float(row["val/loss"]))
    assert torch.equal(theta(again.folder), theta(winner["folder"]))


def test_a_bad_a_diverging_and_a_blocked_job_take_nobody_with_them(fit, tmp_path):
    (tmp_path / "s" / "3").mkdir(parents=True)
    (tmp_path / "s" / "3" / "checkpoints").write_text("in the way")
    done = fit(*QUICK, HERE, "optimizer=sgd", "optimizer.lr=1e-3,0,1e30,1e-2")
    assert done.code == 1
    assert [row["status"] for row in table()] == ["finished", "failed", "diverged", "failed"]
    assert "optimizer.lr=0 is not allowed" in (tmp_path / "s" / "1" / "train.log").read_text()
    assert "optimizer.lr=0 is not allowed" in table()[1]["error"]
    assert "checkpoints" in table()[3]["error"]
    assert "4 jobs: 1 finished, 1 diverged, 2 failed" in done.out
    assert "Traceback" not in done.err


def test_fail_fast_trains_nothing_after_the_first_failure(fit, tmp_path):
    done = fit(*QUICK, HERE, "optimizer.lr=1e-3,0,1e-2", "hydra.launcher.fail_fast=true")
    assert done.code == 1
    assert not list(tmp_path.glob("s/*/metrics.json"))
    assert [row["status"] for row in table()][1] == "failed"


def test_fail_fast_begins_no_other_batch(fit, tmp_path):
    (tmp_path / "s" / "1").mkdir(parents=True)
    (tmp_path / "s" / "1" / "checkpoints").write_text("in the way")
    two = ("hydra.sweeper.max_batch_size=2", "hydra.launcher.fail_fast=true")
    done = fit(*QUICK, HERE, "seed=0,1,2,3", *two)
    assert done.code == 1
    assert [row["status"] for row in table()] == ["finished", "failed"]
    assert not (tmp_path / "s" / "2").exists()


def test_best_yaml_holds_what_was_typed_for_another_configuration(fit, tmp_path):
    own = tmp_path / "own"
    (own / "model").mkdir(parents=True)
    (own / "mine.yaml").write_text("defaults: [train, _self_]\nearly_stopping: {patience: 3}\nextra: 1\n")
    (own / "model" / "tiny.yaml").write_text("defaults: [mlp_gelu, _self_]\nhidden: [3]\n")
    typed = ("--config-dir", str(own), "--config-name", "mine", *QUICK[:3], QUICK[4], HERE)
    done = fit(*typed, "model=tiny,linear", "~extra", "seed=3")
    assert done.code == 0, done.err
    line = (tmp_path / "s" / "best.yaml").read_text().splitlines()[1].removeprefix("#   python -m fit.train ")
    again = fit(*shlex.split(line), "hydra.run.dir=again")
    winner = min(table(), key=lambda row: float(row["val/loss"]))
    assert torch.equal(theta(again.folder), theta(winner["folder"]))
    config = yaml.safe_load((again.folder / ".hydra" / "config.yaml").read_text())
    assert config["early_stopping"] == {"patience": 3}
    assert "extra" not in config


def test_a_diverged_job_alone_is_no_failure(fit):
    assert fit(*QUICK, HERE, "optimizer=sgd", "optimizer.lr=1e-3,1e30").code == 0


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("optimizer.lrr=1,2",), "optimizer.lrr is not a setting (did you mean optimizer.lr"),
        (("seed=range(0,0)",), "seed=range(0,0) has no value, so there is no job"),
        (("model=mlp_gelu,nope",), "model=nope does not exist: give one of custom, linear"),
        (("sweep.resume=nowhere", "seed=0,1"), "nowhere is not a sweep folder"),
        (("resume=nowhere", "seed=0,1"), "resume is for a single run"),
        (("sweep.figures=some", "seed=0,1"), "sweep.figures=some is not allowed: give one of best, all, none"),
        (("sweep.resume=a,b", "seed=0,1"), "sweep.resume and sweep.figures apply to the sweep as a whole"),
        (("hydra.output_subdir=null", "seed=0,1"), "hydra.output_subdir must be .hydra in a sweep"),
        (("hydra.sweep.subdir=../x", "seed=0,1"), "hydra.sweep.subdir=../x is not allowed"),
        (("hydra.sweeper.max_batch_size=0", "seed=0,1"), "hydra.sweeper.max_batch_size=0 is not allowed"),
        (("hydra.launcher.max_members=0", "seed=0,1"), "hydra.launcher.max_members=0 is not allowed"),
        (
            ("hydra.launcher.engine=dask", "seed=0,1"),
            "hydra.launcher.engine=dask is not allowed: give one of local, ray",
        ),
        (("hydra.launcher.engine=ray", "hydra.launcher.ray_address=localhost:1", "seed=0,1"), "cannot be reached"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_written(fit, tmp_path, arguments, sentence):
    done = fit("-m", HERE, *arguments)
    assert done.code == 2
    assert sentence in done.err
    assert "Traceback" not in done.err
    assert not (tmp_path / "s").exists()


def test_jobs_of_equal_settings_are_trained_once_and_reported_twice(fit, tmp_path):
    done = fit(*QUICK, HERE, "optimizer.lr=1e-2,0.01,1e-3")
    assert [row["status"] for row in table()] == ["finished"] * 3
    assert torch.equal(theta("s/0"), theta("s/1"))
    assert "3 jobs in 1 stack, into" in done.out


def test_a_long_number_is_short_in_the_table_and_whole_in_the_file(fit):
    done = fit(*QUICK, HERE, "optimizer.lr=0.012345678901234567,0.5")
    assert "0.012346 " in done.out
    assert {row["optimizer.lr"] for row in table()} == {"0.012345678901234567", "0.5"}


def test_a_folder_for_each_job(fit):
    done = fit(*QUICK, HERE, "hydra.sweep.subdir=same", "seed=0,1")
    assert done.code == 2
    assert "hydra.sweep.subdir gives several jobs the folder s/same" in done.err


def test_a_sweep_is_not_written_over_another(fit):
    fit(*QUICK, HERE, "seed=0,1")
    done = fit(*QUICK, HERE, "seed=2,3")
    assert done.code == 2
    assert "resume it with sweep.resume=s" in done.err


def test_added_values_train_the_new_jobs_alone(fit, tmp_path):
    fit(*QUICK, HERE, "optimizer.lr=1e-2,1e-3")
    before = (tmp_path / "s" / "0" / "metrics.json").stat().st_mtime_ns
    done = fit(*QUICK, "optimizer.lr=1e-4,1e-3,1e-2", "seed=0,1", "sweep.resume=s")
    assert done.code == 0
    assert (tmp_path / "s" / "0" / "metrics.json").stat().st_mtime_ns == before
    assert {(row["optimizer.lr"], row["seed"]) for row in table()} == {
        (lr, seed) for lr in ("0.0001", "0.001", "0.01") for seed in "01"
    }
    assert len(table()) == 6


def test_a_killed_sweep_goes_on_to_the_same_table(fit, tmp_path):
    arguments = (*QUICK, "optimizer.lr=1e-2,1e-3", "data.batch_size=5,20", "trainer.max_epochs=20")
    fit(*arguments, "hydra.sweep.dir=whole")
    fit(*arguments, HERE)
    # as a kill leaves it: one job not begun, one begun, one half way, and nothing summed up
    half = tmp_path / "s" / "1"
    (half / "metrics.json").unlink()
    shutil.copy(half / "checkpoints" / "best.ckpt", half / "checkpoints" / "last.ckpt")
    shutil.rmtree(tmp_path / "s" / "2")
    shutil.rmtree(tmp_path / "s" / "3" / "checkpoints")
    (tmp_path / "s" / "3" / "metrics.json").unlink()
    for name in ("sweep.csv", "best.yaml", "sweep.png"):
        (tmp_path / "s" / name).unlink()
    done = fit("-m", "sweep.resume=s")
    assert done.code == 0
    ours, theirs = table("s"), table("whole")
    for mine, other in zip(ours, theirs, strict=True):
        for key in ("job", "status", "optimizer.lr", "data.batch_size", "epochs"):
            assert mine[key] == other[key]
        assert float(mine["val/loss"]) == pytest.approx(float(other["val/loss"]), rel=1e-5)
        assert torch.equal(theta(f"s/{mine['job']}"), theta(f"whole/{mine['job']}"))


def test_a_stack_is_split_and_stays_bitwise(fit, tmp_path):
    done = fit(*QUICK, HERE, "seed=range(0,5)", "hydra.launcher.max_members=2")
    assert "5 jobs in 3 stacks of up to 2" in done.out
    fit(*QUICK, "hydra.sweep.dir=whole", "seed=range(0,5)")
    for number in range(5):
        assert torch.equal(theta(f"s/{number}"), theta(f"whole/{number}"))


@pytest.mark.slow
@pytest.mark.parametrize("launcher", ["basic", "joblib", "submitit_local"])
def test_other_launchers_run_job_by_job_and_get_the_same_answer(fit, tmp_path, launcher):
    more = ["hydra.launcher.timeout_min=5"] if launcher == "submitit_local" else []
    seeds = range(2 if launcher == "joblib" else 1)
    typed = f"seed={','.join(map(str, seeds))}"
    done = fit(*QUICK, HERE, f"hydra/launcher={launcher}", *more, typed)
    assert done.code == 0, done.err
    assert {row["status"] for row in table()} == {"finished"}
    if launcher != "submitit_local":  # whose jobs write into files of their own
        for number in seeds:
            assert f"[{number}] run        s/{number}" in done.out.splitlines()
        assert "run        s/" not in done.out.replace("] run        s/", "")
    fit(*QUICK, "hydra.sweep.dir=stacked", typed)
    for number in seeds:
        assert torch.equal(theta(f"s/{number}"), theta(f"stacked/{number}"))


@pytest.mark.parametrize("how", ["hydra/launcher=basic", "hydra.job.chdir=true"])
def test_a_job_that_fails_one_by_one_is_told_too(fit, how):
    done = fit(*QUICK, HERE, how, "seed=1,-2,3")
    assert done.code == 1
    assert [row["status"] for row in table()] == ["finished", "failed", "finished"]
    assert "seed=-2 is not allowed" in table()[1]["error"]


def test_a_resumed_sweep_keeps_what_was_typed(fit):
    fit(*QUICK, HERE, "seed=0,1")
    done = fit("-m", "sweep.resume=s", "seed=0,1,2")
    assert done.code == 0
    assert "1 job in 1 stack, into s; 2 of 3 jobs already finished" in done.out
    assert [(row["seed"], row["epochs"]) for row in table()] == [("0", "5"), ("1", "5"), ("2", "5")]


def test_a_weight_that_explodes_takes_nobody_with_it(fit):
    raw = ("data=temperature", "model=linear", "optimizer=sgd", "scheduler=constant", "data.scale_inputs=none")
    looks = ("trainer.max_epochs=60", "trainer.check_val_every_n_epoch=1", "sweep.figures=none")
    done = fit("-m", *raw, *looks, HERE, "data.scale_targets=none", "optimizer.lr=1e-5,5.0")
    assert done.code == 0
    assert [row["status"] for row in table()] == ["finished", "diverged"]


PROBE = "+logger.probe={_target_: probes.Probe, save_dir: '${hydra:runtime.output_dir}'}"


def test_jobs_that_change_the_working_directory_run_one_by_one(fit, tmp_path):
    done = fit(*QUICK, HERE, "hydra.job.chdir=true", "seed=0,1", PROBE)
    assert done.code == 0
    assert [row["status"] for row in table()] == ["finished", "finished"]
    for number in "01":
        folder = tmp_path / "s" / number
        assert (folder / "probe.txt").read_text().splitlines()[1] == str(folder)


def test_the_report_is_made_again_from_the_folders(fit, tmp_path, capfd):
    from fit.report.__main__ import main

    fit(*QUICK, HERE, "optimizer.lr=1e-2,1e-3", "seed=0,1")
    before = {name: (tmp_path / "s" / name).read_bytes() for name in ("sweep.csv", "best.yaml", "sweep.png")}
    for name in before:
        (tmp_path / "s" / name).unlink()
    assert main(["s", "--figures", "best"]) == 0
    assert {name: (tmp_path / "s" / name).read_bytes() for name in before} == before
    assert (tmp_path / "s" / "2" / "figures" / "fit.png").read_bytes()[:4] == b"\x89PNG"
    shutil.rmtree(tmp_path / "s" / "1" / "figures")
    assert main(["s/1"]) == 0
    assert (tmp_path / "s" / "1" / "figures" / "loss.png").exists()
    assert main([str(tmp_path / "nowhere")]) == 2
    (tmp_path / "empty").mkdir()
    assert main([str(tmp_path / "empty")]) == 2
    assert "is not a sweep folder" in capfd.readouterr().err


def test_jobs_see_the_environment_that_they_ask_for_and_log_into_their_own_folders(fit, tmp_path):
    done = fit(*QUICK[:-2], HERE, PROBE, "seed=0,1", "+hydra.job.env_set.FIT_PROBE=here", "sweep.figures=none")
    assert done.code == 0, done.err
    for number in range(2):
        assert (tmp_path / "s" / str(number) / "probe.txt").read_text().splitlines()[0] == "here"
        steps = [line.split()[0] for line in (tmp_path / "s" / str(number) / "steps.txt").read_text().splitlines()]
        assert steps == ["0", "5"]


def test_hparams_hold_every_swept_setting_and_the_final_metrics(fit, tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.plugins.hparams.metadata import parse_session_start_info_plugin_data

    fit(*QUICK[:-2], HERE, "data.noise=0,1", "model=mlp_gelu,linear", "sweep.figures=none")
    for row in table():
        events = EventAccumulator(str(tmp_path / row["folder"])).Reload()
        tag = "_hparams_/session_start_info"
        hparams = parse_session_start_info_plugin_data(events.SummaryMetadata(tag).plugin_data.content).hparams
        assert hparams["data.noise"].number_value == float(row["data.noise"])
        assert hparams["model"].string_value == row["model"]
        assert hparams["model.activation"].string_value
        assert [each.step for each in events.Scalars("rmse/val")] == [0, 5, 5]
        assert events.Scalars("rmse/val")[-1].value == pytest.approx(float(row["val/rmse"]))


def test_callbacks_hear_of_every_job(fit, tmp_path):
    errors_exit = tmp_path / "heard.txt"
    done = fit(*QUICK, HERE, "seed=0,1,2", f"+hydra.callbacks.probe={{_target_: probes.Listener, path: {errors_exit}}}")
    assert done.code == 0, done.err
    lines = errors_exit.read_text().split()
    assert lines[0] == "multirun_start"
    assert sorted(lines[1:-1]) == sorted([f"job_start_{n}" for n in range(3)] + [f"job_end_{n}" for n in range(3)])
    assert lines[-1] == "multirun_end"


def test_a_seed_that_diverged_counts_in_every_number_of_the_table(fit):
    done = fit(
        "-m",
        "data=xy_ring",
        "model=mlp_relu",
        "optimizer=sgd",
        "optimizer.lr=0.6,1e5",
        "seed=0,1,2",
        "scheduler=constant",
        "trainer.max_epochs=2",
        "logger=none",
        "hydra.sweep.dir=s",
    )
    assert done.code == 0
    first, second = (line.split() for line in done.out.splitlines() if line.startswith(("1  ", "2  ")))
    assert first[1] == "0.6"
    assert (second[1], second[2]) == ("1e+05", "diverged")
    assert second.count("-") >= 2  # neither an RMSE nor an R² of the jobs that are left


def test_whole_numbers_are_written_whole(fit):
    done = fit("-m", "data=xy_ring", "seed=1000001,1000002", "trainer.max_epochs=1", "logger=none", "hydra.sweep.dir=s")
    assert {line.split()[1] for line in done.out.splitlines() if line.startswith(("1  ", "2  "))} == {
        "1000001",
        "1000002",
    }
