import sys
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

import optuna
import pytest
from hydra.core.plugins import Plugins
from hydra.core.utils import JobReturn, JobStatus
from omegaconf import OmegaConf

from fit.hydra_adapter.command import command
from fit.train import main
from studies import read_study

SWEEPER = ("-m", "hydra/sweeper=optuna", "hydra/launcher=basic")


@dataclass
class Done:
    """What one search left behind."""

    code: int
    err: str
    folder: Path

    @property
    def study(self):
        return read_study(self.folder / "study.db")

    @property
    def states(self):
        return [trial.state.name for trial in self.study.trials]

    @property
    def params(self):
        return [trial.params for trial in self.study.trials]


@pytest.fixture
def search(tmp_path, monkeypatch, capfd):
    """Return a function that searches, in this process.

    Without a `task` nothing is composed and trained for a trial, as that takes time: its learning rate is its value.
    """
    monkeypatch.chdir(tmp_path)
    optuna.logging.set_verbosity(optuna.logging.WARNING)

    def run(*arguments, task=None, folder="found"):
        monkeypatch.setattr(sys, "argv", ["train", *SWEEPER, f"hydra.sweep.dir={folder}", *arguments])
        code = 0
        with monkeypatch.context() as patch:
            if task is None:
                patch.setattr(Plugins.instance().class_name_to_class[BASIC], "launch", pretend)
            if task is not main:  # there is no run folder to be read in the end
                patch.setattr(import_module("fit.sweep.results.report"), "report_sweep", lambda *_: Table)
            try:
                command(task or (lambda cfg: None))
            except SystemExit as stop:
                code = stop.code or 0
        return Done(code, capfd.readouterr().err, tmp_path / folder)

    run.sweeper = SWEEPER
    return run


class Table:
    """A table without a failed job."""

    @staticmethod
    def count(status):
        return 0


BASIC = "hydra._internal.core_plugins.basic_launcher.BasicLauncher"


def pretend(launcher, batch, initial_job_idx):
    """Launch jobs that do nothing but make their folders."""
    results = []
    for number, overrides in enumerate(batch, initial_job_idx):
        (Path(launcher.config.hydra.sweep.dir) / str(number)).mkdir()
        rate = OmegaConf.select(OmegaConf.from_dotlist(overrides), "optimizer.lr", default=0.5)
        results.append(JobReturn(overrides=overrides, status=JobStatus.COMPLETED, _return_value=float(rate)))
    return results
