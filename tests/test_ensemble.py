"""cv and ensemble: several networks for one run, in one stack."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import torch

from fit.folder import RunFolder
from fit.report.loss import draw_loss

QUICK = ("trainer.max_epochs=6", "data.points=41", "model.hidden=[6]", "logger=none")


def theta(folder, name="last"):
    return torch.load(f"{folder}/checkpoints/{name}.ckpt", weights_only=True)["theta"]


def history(folder):
    return RunFolder(folder).read_history()


def metrics(folder):
    return json.loads((folder / "metrics.json").read_text())


def test_members_are_bitwise_the_seeds_alone(fit, tmp_path):
    done = fit(*QUICK, "ensemble=3", "seed=5", "hydra.run.dir=all", "figures=true")
    assert done.code == 0, done.err
    for number in range(3):
        fit(*QUICK, f"seed={5 + number}", f"hydra.run.dir=alone{number}")
        assert torch.equal(theta(f"all/members/{number}"), theta(f"alone{number}"))
    errors = [metrics(tmp_path / f"alone{number}")["val/rmse"] for number in range(3)]
    together = metrics(tmp_path / "all")
    assert together["val/rmse"] == pytest.approx(np.mean(errors), rel=1e-6)
    assert together["std/val/rmse"] == pytest.approx(np.std(errors, ddof=1), rel=1e-5)
    # By Jensen's inequality the mean answer is never worse than the members are on average.
    assert together["ensemble/val/mse"] <= together["val/mse"]
    assert {path.name for path in (tmp_path / "all" / "figures").iterdir()} == {"fit.png", "loss.png"}
    looks = [done.history, *(history(f"all/members/{number}") for number in range(3))]
    assert [row["epoch"] for row in looks[0]] == [0, 6]
    for whole, *parts in zip(*looks, strict=True):
        assert whole["val/loss"] == pytest.approx(np.mean([part["val/loss"] for part in parts]))
    assert "3 networks with seeds 5 to 7" in done.out


def test_folds_hold_out_every_row_once(fit, tmp_path):
    done = fit(*QUICK, "cv=5", "hydra.run.dir=all")
    assert done.code == 0, done.err
    from omegaconf import OmegaConf

    from fit.data.problem import build_dataset

    held_out = []
    for number in range(5):
        train, fresh = build_dataset(OmegaConf.load(f"all/members/{number}/.hydra/config.yaml").data).split()
        assert len(fresh["val"].inputs) == 41 - len(train.inputs) == (9 if number == 0 else 8)
        seen = {tuple(row) for row in train.inputs.tolist()}
        assert not seen & {tuple(row) for row in fresh["val"].inputs.tolist()}
        held_out += fresh["val"].inputs.tolist()
    assert len({tuple(row) for row in held_out}) == len(held_out) == 41
    each = [metrics(tmp_path / "all" / "members" / str(number))["val/rmse"] for number in range(5)]
    assert metrics(tmp_path / "all")["val/rmse"] == pytest.approx(np.mean(each))
    assert "5 folds" in done.out


def test_nothing_is_held_out_beside_the_folds(fit, tmp_path):
    x = np.linspace(-1, 1, 41)[:, None]
    np.savez("a.npz", inputs=x, targets=x**3)
    np.savetxt("t.csv", np.hstack([x, x**3]), delimiter=",", header="x,y", comments="")
    for data in (
        ("data=arrays", "data.path=a.npz"),
        ("data=table", "data.path=t.csv", "data.inputs=[x]", "data.targets=[y]"),
    ):
        done = fit(*data, *QUICK[:1], *QUICK[2:], "data.val_fraction=0", "cv=3", f"hydra.run.dir={data[0][5:]}")
        assert (done.code, done.err) == (0, "")
        whole, parts = done.metrics, [metrics(done.folder / "members" / str(number)) for number in range(3)]
        key = "baseline/val/affine_mse"
        assert whole[key] == pytest.approx(np.mean([part[key] for part in parts]))
        assert whole[f"std/{key}"] > 0


def test_folds_hold_out_every_group_once(fit, tmp_path):
    rows = [f"{row / 9},{row % 5},{'abc'[row % 7 % 3]}" for row in range(35)]
    (tmp_path / "t.csv").write_text("\n".join(["x,y,who", *rows]))
    typed = ("data=table", "data.path=t.csv", "data.targets=[y]", "data.group=who", *QUICK[:1], *QUICK[2:])
    done = fit(*typed, "cv=3", "hydra.run.dir=all")
    assert (done.code, done.err) == (0, "")
    told = [(tmp_path / f"all/members/{number}/train.log").read_text() for number in range(3)]
    counts = [int(log.partition("judged on val (")[2].split()[0]) for log in told]
    assert sorted(counts) == [10, 10, 15]
    assert all("1 group of who" in log for log in told)
    done = fit(*typed, "cv=4")
    assert (done.code, done.err) == (2, "fit: cv=4 is not allowed: there are 3 groups of who, give fewer folds.\n")


def test_a_sweep_compares_cross_validations(fit, tmp_path):
    done = fit("-m", *QUICK, "cv=3", "optimizer.lr=1e-2,1e-5", "hydra.sweep.dir=s", "figures=true")
    assert done.code == 0, done.err
    assert "2 jobs in 1 stack" in done.out
    worse, better = (metrics(tmp_path / "s" / number)["val/rmse"] for number in "10")
    assert better < worse
    assert sorted(path.parent.parent.name for path in (tmp_path / "s").glob("*/figures/fit.png")) == ["0", "1"]
    one = fit(*QUICK, "cv=3", "optimizer.lr=1e-5", "hydra.run.dir=one")
    assert torch.equal(theta("s/1/members/2"), theta("one/members/2"))
    assert one.code == 0


@pytest.mark.slow
def test_an_ensemble_killed_goes_on_bitwise(fit, tmp_path):
    typed = ("ensemble=3", "data.points=64", "model.hidden=[8]", "logger=none", "trainer.max_epochs=1500")
    looks = ("trainer.check_val_every_n_epoch=50", "scheduler=constant")
    command = [sys.executable, "-m", "fit.train", *typed, *looks, "hydra.run.dir=killed"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, env=os.environ | {"MKL_CBWR": "AUTO,STRICT"})
    end = time.monotonic() + 60
    while not (tmp_path / "killed/members/2/checkpoints/last.ckpt").exists() and process.poll() is None:
        assert time.monotonic() < end
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (tmp_path / "killed" / "metrics.json").exists()
    resumed = fit("resume=killed")
    assert resumed.code == 0
    assert "resumed   after epoch " in resumed.out
    fit(*typed, *looks, "hydra.run.dir=whole")
    for number in range(3):
        assert torch.equal(theta(f"killed/members/{number}"), theta(f"whole/members/{number}"))
    assert metrics(tmp_path / "killed")["val/rmse"] == metrics(tmp_path / "whole")["val/rmse"]


def test_the_loss_of_several_networks_is_their_mean_and_each():
    members = [[{"epoch": epoch, "train/loss": loss, "val/loss": loss} for epoch in (0, 9)] for loss in (1.0, 3.0)]
    mean = [{"epoch": epoch, "train/loss": 2.0, "val/loss": 2.0} for epoch in (0, 9)]
    figure = draw_loss(mean, members=members)
    lines = figure.axes[0].lines
    assert sorted(line.get_ydata()[0] for line in lines[:6]) == [1, 1, 2, 2, 3, 3]
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert {"val/loss, mean of 2", "train/loss, mean of 2", "each of them"} <= set(labels)


def test_a_diverged_member_is_told(fit, tmp_path):
    done = fit(*QUICK, "ensemble=2", "optimizer=sgd", "optimizer.lr=1e30", "hydra.run.dir=all")
    assert done.code == 0
    assert "diverged" in done.out
    assert metrics(tmp_path / "all")["diverged"] is True


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        (("cv=5", "ensemble=5"), "cv=5 and ensemble=5 cannot be combined"),
        (("cv=1",), "cv=1 is not allowed"),
        (("ensemble=1",), "ensemble=1 is not allowed"),
        (("cv=42",), "cv=42 is not allowed: there are 41 rows"),
    ],
)
def test_what_cannot_be_is_refused(fit, tmp_path, typed, words):
    done = fit(*QUICK, *typed)
    assert done.code == 2
    assert words in done.err
    assert not list(tmp_path.rglob("config.yaml"))
