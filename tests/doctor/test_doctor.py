"""The doctor, as its user meets it: what is said of runs that fail for a known reason, and of those that do not."""

import json

import pytest

from doctor.cases import FILES, write_files
from doctor.faulty import FAULTY
from doctor.healthy import HEALTHY
from fit.doctor.__main__ import main as doctor

# One case of each kind, and some healthy ones; `make doctor-report` goes through all of them, and tries the cures.
ARTICLES = ("step_too_large", "inputs_unscaled", "target_constant", "output_range")  # test_cure.py has them
FIRST = {case.ids[0]: case for case in reversed(FAULTY) if case.ids[0] not in ARTICLES}
SOME = HEALTHY[5::7]


def diagnosis(run):
    return json.loads((run.folder / "diagnosis.json").read_text())


def typed(case, tmp_path):
    write_files(tmp_path)
    return [each.replace(FILES, str(tmp_path)) for each in case.overrides]


@pytest.mark.parametrize("case", FIRST.values(), ids=FIRST)
def test_a_failing_run_is_told_why(fit, tmp_path, case):
    run = fit(*typed(case, tmp_path), "logger=none")
    told = diagnosis(run)
    assert run.code == 0
    assert not told["healthy"]
    assert set(case.ids) & {finding["id"] for finding in told["findings"]}
    first = told["findings"][0]
    told_of = {finding["id"] for finding in told["findings"]}
    assert told_of <= set(case.ids)
    settings = [override.partition("=")[::2] for finding in told["findings"] for override in finding["cure"]]
    assert len(dict(settings)) == len(set(settings))  # they can be pasted together
    assert " ".join(first["explanation"].split()[:8]) in " ".join(run.out.split())
    assert set(first) == {"id", "certainty", "evidence", "explanation", "cure", "expected"}
    for override in first["cure"]:
        assert override in run.out


@pytest.mark.parametrize("case", SOME, ids=lambda case: case.name)
def test_a_good_run_is_left_alone(fit, tmp_path, case):
    run = fit(*typed(case, tmp_path), "logger=none")
    assert diagnosis(run)["findings"] == []
    assert diagnosis(run)["healthy"]
    assert "cure" not in run.out


def test_the_limit_is_that_of_the_article(fit):
    """The largest eigenvalue of article A3's loss, 5883.4, as design.md has it from elsewhere."""
    finding = diagnosis(fit("experiment=a3_exploding", "logger=none"))["findings"][0]
    assert finding["evidence"]["sharpness"] == pytest.approx(5883.4, rel=1e-5)
    assert finding["evidence"]["limit"] == pytest.approx(3.40e-4, rel=1e-3)
    assert finding["evidence"]["diverged_epoch"] == 11


def test_what_is_known_before_is_said_before_or_stops(fit, tmp_path):
    run = fit("experiment=a4_shifted", "trainer.max_epochs=2", "logger=none")
    out = " ".join(run.out.split())
    assert out.index("cannot fall below 4244.48") < out.index("RMSE")
    stopped = fit("experiment=a4_shifted", "doctor.before=stop", "hydra.run.dir=stopped")
    assert stopped.code == 2
    assert stopped.err.count("\n") == 1
    assert "4244.48" in stopped.err
    assert not (tmp_path / "stopped").exists()
    silent = fit("experiment=a4_shifted", "trainer.max_epochs=2", "logger=none", "doctor.before=off")
    assert "Before the first step" not in silent.out
    refused = fit("doctor.before=perhaps")
    assert (refused.code, refused.err) == (
        2,
        "fit: doctor.before=perhaps is not allowed: give one of warn, stop, off.\n",
    )


def test_a_sweep_has_a_column(fit, tmp_path, capfd):
    run = fit("-m", "experiment=a3_exploding", "optimizer.lr=1e-2,1e-4", "hydra.sweep.dir=s", "sweep.figures=none")
    assert "step too large" in run.out
    assert "inputs unscaled" in run.out
    assert "step too large" in (tmp_path / "s" / "sweep.csv").read_text()
    assert doctor(["s"]) == 2
    assert "s is a sweep: give one of its jobs, such as s/0" in capfd.readouterr().err


def test_members_are_diagnosed_together(fit, capfd):
    run = fit("experiment=a3_exploding", "ensemble=2", "logger=none")
    first = diagnosis(run)["findings"][0]
    assert (first["id"], first["evidence"]["members"]) == ("step_too_large", 2)
    assert "step too large" in run.out
    assert doctor([str(run.folder)]) == 0
    assert f"python -m fit.doctor {run.folder / 'members' / '0'} --cure" in capfd.readouterr().out


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (["experiment=a3_slow", "trainer.max_epochs=500"], "inputs unscaled"),
        (["optimizer=sgd", "optimizer.lr=1e-4", "trainer.max_epochs=20"], "of the stability limit"),
        (["model=mlp_relu", "model.hidden=[2]", "seed=3", "trainer.max_epochs=100"], ""),
    ],
)
def test_said_again_it_is_the_same(fit, capfd, settings, words):
    run = fit(*settings, "logger=none")
    before = diagnosis(run)
    assert not before["healthy"]
    assert doctor([str(run.folder)]) == 0
    assert words in capfd.readouterr().out
    assert diagnosis(run)["findings"] == before["findings"]


def test_what_cannot_be_kept_is_said_all_the_same(fit, capfd):
    run = fit("experiment=a3_exploding", "logger=none")
    (run.folder / "diagnosis.json").unlink()
    (run.folder / "diagnosis.json").mkdir()
    assert doctor([str(run.folder)]) == 0
    told = capfd.readouterr()
    assert "step too large" in told.out
    assert "was not saved" in told.err


def test_a_cure_is_one_line_and_says_in_place_of_what_it_is(fit):
    few = ("data.points=256", "data.batch_size=null", "logger=none")
    run = fit("scheduler=exponential", "scheduler.gamma=0.3", "trainer.max_epochs=60", *few)
    cure = next(line for line in run.out.splitlines() if line.startswith("  cure: "))
    assert cure.removeprefix("  cure: ").split() == diagnosis(run)["findings"][0]["cure"]
    assert "leave out scheduler.gamma, which it replaces" in run.out
    assert fit(*few, *cure.removeprefix("  cure: ").split()).metrics["val/r2"] > 0.999


def test_settings_that_were_spoiled_are_refused(fit, capfd):
    run = fit("experiment=a3_exploding", "logger=none")
    config = run.folder / ".hydra" / "config.yaml"
    config.write_text(config.read_text().replace("lr: 0.01", "lr: abc"))
    assert doctor([str(run.folder)]) == 2
    assert "optimizer.lr=abc is not allowed" in capfd.readouterr().err


@pytest.mark.parametrize("folder", ["nowhere", "."])
def test_what_is_no_run_is_refused(fit, capfd, folder):
    assert doctor([folder]) == 2
    assert "is not a run folder" in capfd.readouterr().err


def test_tensorboard_shows_the_diagnosis(fit):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    run = fit("experiment=a3_exploding")
    events = EventAccumulator(str(run.folder)).Reload()
    (event,) = events.Tensors("diagnosis/text_summary")
    assert b"step too large" in event.tensor_proto.string_val[0]
