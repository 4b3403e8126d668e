"""The four articles: what they claim, against numbers measured without this project."""

from pathlib import Path
from statistics import median

import pytest

from fit.folder import RunFolder


def test_a1_raw_is_far_worse_than_the_mean(fit):
    metrics = fit("experiment=a1_raw", "logger=none").metrics
    assert metrics["baseline/mean_mse"] == pytest.approx(2.75, abs=0.01)
    assert metrics["baseline/affine_mse"] == pytest.approx(0.0147, abs=0.0001)
    assert metrics["train/mse"] > 1000 * metrics["baseline/mean_mse"]


def test_a1_cured_is_an_illusion(fit):
    metrics = fit("experiment=a1_cured", "logger=none").metrics
    assert metrics["train/mse"] < 1e-5
    assert 0.55 < metrics["train/r2"] < 0.61
    assert metrics["square/r2"] < 0
    assert metrics["train/mse"] == pytest.approx(metrics["baseline/affine_mse"], rel=0.05)


def test_a2_has_hardly_begun(fit):
    run = fit("experiment=a2", "logger=none")
    assert run.history[0]["train/loss"] == pytest.approx(1.3716, abs=5e-5)
    assert run.metrics["train/loss"] == pytest.approx(1.34, abs=0.005)
    assert run.metrics["floor/loss"] == pytest.approx(0.849, abs=0.0005)
    assert run.metrics["val/r2"] < 0


def test_a3_scaled_converges_to_the_closed_form(fit):
    run = fit("experiment=a3_scaled", "logger=none")
    losses = {row["epoch"]: row["train/pass_loss"] for row in run.history}  # as the article's loop prints it
    assert losses[1000] == pytest.approx(3.82854, rel=1e-5)
    assert losses[5000] == pytest.approx(2.92765, rel=1e-5)
    weight, bias = run.checkpoint()["theta"].tolist()
    assert (weight, bias) == (pytest.approx(5.36762, rel=1e-5), pytest.approx(-17.30423, rel=1e-5))
    assert run.metrics["floor/loss"] == pytest.approx(2.927645, rel=1e-6)
    assert "°C = 0.536772·°F - 17.3048" in run.out


def test_a3_ours_reaches_the_closed_form(fit):
    run = fit("experiment=a3_ours", "logger=none")
    assert run.metrics["epochs"] < 200
    assert run.metrics["train/mse"] == pytest.approx(2.9276450, rel=1e-6)
    assert run.out.count("°C = 0.536772·°F - 17.3048") == 2


def test_a4_has_learned_by_epoch_300(fit):
    # Of several seeds: at a constant rate the loss leaps, and what a single one ends at differs between machines.
    done = fit("-m", "experiment=a4", "seed=0,1,2,3,4", "trainer.max_epochs=300", "logger=none", "hydra.sweep.dir=s")
    assert done.code == 0, done.err
    histories = [RunFolder(Path("s", str(number))).read_history() for number in range(5)]
    first, last = (median(rows[place]["train/loss"] for rows in histories) for place in (0, -1))
    assert first == pytest.approx(6.8e3, rel=0.05)
    assert last < 1e-3 * first


def test_a4_shifted_stops_at_the_floor_of_its_output(fit):
    metrics = fit("experiment=a4_shifted", "logger=none").metrics
    assert metrics["floor/loss"] == pytest.approx(4244.48, abs=0.005)
    assert metrics["train/loss"] == pytest.approx(4535, rel=0.01)


def test_a4_ours_learns_all_three(fit):
    metrics = fit("experiment=a4_ours", "logger=none").metrics
    assert all(target["val/nrmse"] < 1e-3 for target in metrics["targets"].values())
    assert set(metrics["targets"]) == {"x·eˣ", "eˣ", "x²"}
