"""What somebody else made is opened, and nothing of theirs is run."""

import io
import os
import pickle
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from fit.api import load
from fit.doctor.__main__ import main as doctor
from fit.errors import FitError
from fit.export.__main__ import main as export
from fit.predict.__main__ import main as predict
from fit.report.__main__ import main as report

QUICK = ("trainer.max_epochs=2", "data.points=20", "model.hidden=[4]", "logger=none")


class Bomb:
    """Leaves a file behind when it is unpickled."""

    def __reduce__(self):
        return os.system, ("touch exploded",)


@pytest.fixture
def run(fit, tmp_path):
    folder = fit(*QUICK, "hydra.run.dir=run").folder
    yield folder
    assert not (tmp_path / "exploded").exists()


def configure(folder, change):
    path = folder / ".hydra" / "config.yaml"
    config = yaml.safe_load(path.read_text())
    change(config)
    path.write_text(yaml.safe_dump(config))


def evil_module(tmp_path, monkeypatch):
    (tmp_path / "evil.py").write_text("open('exploded', 'w').close()\nclass Data: pass\ndef function(x): return x\n")
    monkeypatch.syspath_prepend(tmp_path)


@pytest.mark.parametrize("how", ["pickle", "torch", "inside"])
def test_a_checkpoint_that_holds_code_is_refused(fit, run, how):
    path = run / "checkpoints" / "last.ckpt"
    if how == "pickle":
        path.write_bytes(pickle.dumps(Bomb()))
    elif how == "torch":
        torch.save({"theta": torch.zeros(3), "config": Bomb()}, path)
    else:
        whole, changed = zipfile.ZipFile(path), io.BytesIO()
        with zipfile.ZipFile(changed, "w") as archive:
            for name in whole.namelist():
                content = pickle.dumps(Bomb()) if name.endswith("data.pkl") else whole.read(name)
                archive.writestr(name, content)
        path.write_bytes(changed.getvalue())
    with pytest.raises(FitError, match="not a checkpoint of fit, or is damaged"):
        load(run)
    assert export([str(run), "--format", "python"]) == 2
    assert report([str(run)]) == 2
    assert fit("resume=run", "trainer.max_epochs=3").code == 2


def test_a_checkpoint_with_a_flipped_byte_is_refused(run):
    path = run / "checkpoints" / "last.ckpt"
    content = bytearray(path.read_bytes())
    weights = torch.load(path, weights_only=True)["theta"].numpy().tobytes()
    content[content.index(weights) + 5] ^= 0x01
    path.write_bytes(content)
    with pytest.raises(FitError, match="is damaged"):
        load(run)


WRONG = [
    ("theta", lambda theta: theta[:-1]),
    ("theta", lambda theta: torch.cat([theta, theta])),
    ("dates", lambda dates: [3]),
    ("theta", lambda theta: theta.long()),
    ("sizes", lambda sizes: [-each for each in sizes]),
    ("config", lambda config: []),
    ("config", lambda config: {}),
    ("config", lambda config: config | {"model": config["model"] | {"activation": "gelo"}}),
    ("inputs", lambda inputs: 3),
    ("inputs", lambda inputs: inputs[:1]),
    ("low", lambda low: "abc"),
    ("low", lambda low: low[:1]),
    ("input_scaler", lambda scaler: {}),
    ("target_scaler", lambda scaler: {key: value.repeat(2) for key, value in scaler.items()}),
    ("categories", lambda categories: [1]),
    ("categories", lambda categories: {"x": [1]}),
    ("evaluation", lambda evaluation: 1),
    ("epoch", lambda epoch: 1.5),
    ("best_loss", lambda loss: "abc"),
]


def test_a_checkpoint_of_wrong_parts_is_refused(run, capfd):
    path = run / "checkpoints" / "last.ckpt"
    sound = torch.load(path, weights_only=True)
    for key, change in WRONG:
        torch.save(sound | {key: change(sound[key])}, path)
        assert predict([str(run), "x=1", "y=1"]) == 2, key
        out, err = capfd.readouterr()
        assert (out, err.count("\n")) == ("", 1)
        assert "is not a checkpoint of fit, or is damaged" in err
    torch.save(sound, path)
    assert predict([str(run), "x=1", "y=1"]) == 0


@pytest.mark.parametrize("key", ["data", "optimizer", "scheduler"])
def test_a_configuration_that_names_foreign_code_runs_none_of_it(fit, run, tmp_path, monkeypatch, capfd, key):
    evil_module(tmp_path, monkeypatch)
    configure(run, lambda config: config[key].update(_target_="evil.Data"))
    assert load(run).predict([[1.0, 2.0, 1.0]]).shape == (1, 1)
    with pytest.raises(FitError, match="names code to be run"):
        load(run).plot()
    assert export([str(run), "--format", "python"]) == 0
    assert report([str(run)]) == 2
    done = fit("resume=run", "trainer.max_epochs=3")
    assert done.code == 2
    assert f"{key}._target_=evil.Data" in done.err


def test_a_logger_or_a_function_of_theirs_is_not_run(fit, run, tmp_path, monkeypatch):
    evil_module(tmp_path, monkeypatch)
    before = (run / ".hydra" / "config.yaml").read_text()
    configure(run, lambda config: config.update(logger={"mine": {"_target_": "evil.Data"}}))
    assert "logger.mine._target_=evil.Data" in fit("resume=run", "trainer.max_epochs=3").err
    (run / ".hydra" / "config.yaml").write_text(before)
    custom = {"_target_": "fit.data.datasets.custom.Custom", "function": "evil.function", "domain": {"x": [0, 1]}}
    configure(run, lambda config: config.update(data=custom))
    assert "data.function=evil.function" in fit("resume=run", "trainer.max_epochs=3").err
    assert report([str(run)]) == 2


def test_a_sweep_of_theirs_is_not_run(fit, tmp_path, monkeypatch, capfd):
    fit("-m", *QUICK, "seed=0,1", "hydra.sweep.dir=s", "sweep.figures=none")
    evil_module(tmp_path, monkeypatch)
    job = tmp_path / "s" / "0"
    configure(job, lambda config: config["data"].update(_target_="evil.Data"))
    for figures in (tmp_path / "s").glob("*/figures"):
        shutil.rmtree(figures)
    assert report(["s"]) == 0
    out, err = capfd.readouterr()
    assert "2 jobs: 2 finished" in out
    assert (
        err
        == "fit: 1 fit not drawn: s/0 names code to be run, data._target_=evil.Data: give --trust if you trust it.\n"
    )
    assert [path.parts[1] for path in Path("s").glob("*/figures/fit.png")] == ["1"]
    assert not job.joinpath("figures").exists()
    multirun = tmp_path / "s" / "multirun.yaml"
    text = multirun.read_text().replace("    - seed=0,1\n", "    - seed=0,1\n    - data._target_=evil.Data\n", 1)
    assert "evil.Data" in text
    multirun.write_text(text)
    done = fit("-m", "sweep.resume=s", "seed=0,1,2")
    assert done.code == 2
    assert "names code to be run" in done.err
    assert not (tmp_path / "exploded").exists()


CUSTOM = {"_target_": "fit.data.datasets.custom.Custom", "function": "evil.function", "domain": {"x": [0, 1]}}


def test_what_a_member_or_a_job_alone_names_is_not_run(fit, tmp_path, monkeypatch):
    fit(*QUICK, "cv=2", "hydra.run.dir=c")
    fit("-m", *QUICK, "seed=0,1", "hydra.sweep.dir=s", "sweep.figures=none")
    evil_module(tmp_path, monkeypatch)
    for number in range(2):
        configure(tmp_path / "c" / "members" / str(number), lambda config: config.update(data=CUSTOM))
    assert load("c").plot().axes
    assert report(["c"]) == doctor(["c"]) == 0
    configure(tmp_path / "s" / "1", lambda config: config.update(data=CUSTOM))
    done = fit("-m", "sweep.resume=s", "seed=0,1,2")
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert "s/1 names code to be run, data.function=evil.function" in done.err
    assert not (tmp_path / "s" / "2").exists()
    assert not (tmp_path / "exploded").exists()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"data": "${other}", "other": CUSTOM}, "names code to be run, data.function=evil.function"),
        ({"data": "${oc.create:${other}}", "other": str(CUSTOM)}, "names code to be run, data.function=evil.function"),
        ({"logger": "${other}", "other": {"mine": {"_target_": "evil.Data"}}}, "logger.mine._target_=evil.Data"),
        ({"one": {"other": "${two}"}, "two": {"one": "${one}"}}, "one refers to itself"),
        ({"hydra": {"run": {"dir": "."}}}, "is not the configuration of a run"),
    ],
)
def test_references_and_a_node_of_hydras_hide_nothing(fit, run, tmp_path, monkeypatch, capfd, change, words):
    evil_module(tmp_path, monkeypatch)
    configure(run, lambda config: config.update(change))
    done = fit("resume=run", "trainer.max_epochs=3")
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert words in done.err
    with pytest.raises(FitError, match=words):
        load(run).plot()
    if "hydra" not in change:
        assert report([str(run)]) == 2
        assert words in capfd.readouterr().err


def test_a_damaged_history_is_named_and_a_last_line_cut_off_is_left_out(run, capfd):
    path = run / "history.csv"
    lines = path.read_text().splitlines()
    path.write_text("\n".join([*lines, lines[-1][:5]]))
    assert load(run).history["epoch"] == [0, 2]
    path.write_text("\n".join([lines[0], "0,oh", *lines[2:]]))
    with pytest.raises(FitError, match=r"run/history.csv, line 2, is not what fit wrote"):
        load(run).history  # noqa: B018
    assert doctor([str(run)]) == 2
    assert capfd.readouterr().err.count("\n") == 1


def test_an_array_file_that_holds_objects_is_refused(fit, tmp_path):
    np.savez(tmp_path / "bomb.npz", inputs=np.array([[Bomb()]], dtype=object), targets=np.zeros((1, 1)))
    done = fit("data=arrays", "data.path=bomb.npz", *QUICK[:1], *QUICK[2:])
    assert done.code == 2
    assert "bomb.npz is not an .npz file that holds inputs and targets" in done.err
    assert not (tmp_path / "exploded").exists()
