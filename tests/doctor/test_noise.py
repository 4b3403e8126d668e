"""Noise is told from a function that was not learned, and a cure from chance: by what a person reads."""

import json
import os
import threading

import numpy as np
import pytest

from fit.doctor.cures.verdict import judge
from fit.doctor.diagnose import reconcile
from fit.doctor.finding import Finding
from fit.predict.__main__ import main as predict

TABLE = ("data=arrays", "data.path=rows.npz", "logger=none")


def diagnosis(run):
    return json.loads((run.folder / "diagnosis.json").read_text())


def save(inputs, targets):
    np.savez("rows.npz", inputs=inputs, targets=targets.reshape(len(targets), -1))


def test_products_of_inputs_that_an_affine_network_misses_are_no_noise(fit):
    random = np.random.default_rng(0)
    x = random.uniform(-1, 1, (1000, 6))
    function = x.sum(1) + 2.2 * x[:, 0] * x[:, 1] * x[:, 2] + 1.5 * np.sin(6 * x[:, 3]) * x[:, 4]
    save(x, function)
    assert not diagnosis(fit(*TABLE, "model=linear", "trainer.max_epochs=40"))["healthy"]
    save(x, x.sum(1) + random.normal(0, 0.5, 1000))
    assert diagnosis(fit(*TABLE, "model=linear", "trainer.max_epochs=40"))["healthy"]


def test_a_dozen_rows_do_not_say_what_is_noise(fit):
    random = np.random.default_rng(1)
    x = random.uniform(-1, 1, (12, 3))
    save(x, x[:, 0] + random.normal(0, 0.3, 12))
    assert not diagnosis(fit(*TABLE, "model=linear", "trainer.max_epochs=400", "data.batch_size=null"))["healthy"]


def test_targets_that_are_mostly_one_number_are_judged_all_the_same(fit):
    random = np.random.default_rng(0)
    x = random.uniform(0, 1, (200, 1))
    targets = np.where(random.random(200) < 0.55, 0.0, random.normal(0, 1, 200))
    x[3] = 500.0
    save(x, targets)
    told = diagnosis(fit(*TABLE, "loss=mae", "trainer.max_epochs=20"))
    assert not told["healthy"]


class Known:
    """A case of a known error."""

    robust, good = False, False

    def __init__(self, error):
        self.error = error

    def worst_of(self, robust):
        return self.error


def test_one_training_said_five_times_is_one():
    before, after = [Known(0.8)] * 5, [Known(0.6)] * 5
    assert (judge(before, after).trainings, judge(before, after).word) == (1, "no better")
    others = [Known(0.6 + 0.01 * number) for number in range(5)]
    assert (judge([Known(0.8 + 0.01 * number) for number in range(5)], others).trainings) == 5
    assert judge([Known(0.8 + 0.01 * number) for number in range(5)], others).word == "better"


def test_cures_that_ask_for_several_lengths_get_the_longest():
    findings = [
        Finding("inputs_unscaled", "certain", {}, "", ["optimizer.lr=0.1", "trainer.max_epochs=500"]),
        Finding("targets_unscaled", "certain", {}, "", ["optimizer.lr=0.2", "trainer.max_epochs=4000"]),
    ]
    cures = [list(finding.cure) for finding in reconcile(findings)]
    assert cures == [["optimizer.lr=0.1", "trainer.max_epochs=4000"]] * 2


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_predictions_go_through_a_named_pipe(fit, tmp_path):
    run = fit("data=xy_square", "data.points=40", "trainer.max_epochs=2", "logger=none", "model.hidden=[4]")
    (tmp_path / "in.csv").write_text("x,y,1\n1,2,1\n")
    os.mkfifo(tmp_path / "out")
    read = []
    reader = threading.Thread(target=lambda: read.append((tmp_path / "out").read_text()))
    reader.start()
    assert predict([str(run.folder), "--input", "in.csv", "--output", "out"]) == 0
    reader.join(10)
    assert read[0].startswith("x,y,1,")
    assert (tmp_path / "out").is_fifo()
