"""The command `fit`: the same as `python -m fit.…`."""

import subprocess
import sys
from importlib import metadata

import pytest

from fit.__main__ import COMMANDS, main


def called(*typed):
    done = subprocess.run([sys.executable, "-m", "fit", *typed], capture_output=True, text=True)
    return done.returncode, done.stdout, done.stderr


@pytest.mark.slow  # starts two processes
def test_a_run_is_trained_and_asked(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    few = ("data.points=16", "trainer.max_epochs=1", "logger=none", "hydra.run.dir=r")
    code, out, err = called("train", *few)
    assert (code, err) == (0, "")
    assert "run      r (1 epoch" in out
    assert (tmp_path / "r" / "metrics.json").exists()
    code, out, err = called("predict", "r", "x=1", "y=2")
    assert (code, err) == (0, "")
    assert out.startswith("x²+y² = ")


def test_every_command_is_one_that_help_names(capsys, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["fit"])
    assert main() == 0
    out = capsys.readouterr().out
    assert all(f"  fit {name} " in out for name in COMMANDS)


def test_the_version_is_that_of_the_distribution(capsys, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["fit", "--version"])
    assert main() == 0
    assert capsys.readouterr().out.strip() == metadata.version("fit-networks")


@pytest.mark.parametrize("typed", ["trian", "-x"])
def test_what_is_no_command_is_refused(capsys, monkeypatch, typed):
    monkeypatch.setattr(sys, "argv", ["fit", typed])
    assert main() == 2
    assert capsys.readouterr().err == (
        f"fit: {typed} is not a command: give one of train, predict, doctor, export, report, or --version.\n"
    )
