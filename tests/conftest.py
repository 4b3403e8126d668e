import os

os.environ.setdefault("MKL_CBWR", "AUTO,STRICT")  # as the command does, before the first product

import json
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch

from fit.hydra_adapter.command import command
from fit.train import main


@dataclass
class Run:
    """What one call of `python -m fit.train` left behind."""

    code: int
    out: str
    err: str
    value: float | None
    folder: Path | None

    @property
    def metrics(self):
        return json.loads((self.folder / "metrics.json").read_text())

    @property
    def history_text(self):
        return (self.folder / "history.csv").read_text()

    @property
    def history(self):
        lines = self.history_text.splitlines()
        header = lines[0].split(",")
        return [dict(zip(header, map(float, line.split(",")), strict=True)) for line in lines[1:]]

    def checkpoint(self, name="last"):
        return torch.load(self.folder / "checkpoints" / f"{name}.ckpt", weights_only=True)


def call(arguments, capture):
    """Run the command as typed, in this process."""
    values, code = [], 0

    def task(cfg):
        values.append(main(cfg))
        return values[-1]

    task.stackable = main.stackable
    typed, sys.argv = sys.argv, ["train", *arguments]
    try:
        command(task)
    except SystemExit as stop:
        code = stop.code or 0
    finally:
        sys.argv = typed
    captured = capture.readouterr()
    named = [line.split()[1] for line in captured.out.splitlines() if line.startswith("run ")]
    folder = Path(named[-1]).resolve() if named else None
    return Run(code, captured.out, captured.err, values[0] if values else None, folder)


@pytest.fixture
def fit(tmp_path, monkeypatch, capfd):
    """Return a function that runs the command in an empty folder."""
    monkeypatch.chdir(tmp_path)
    return lambda *arguments: call(undrawn(arguments), capfd)


def undrawn(arguments):
    """Draw nothing, which takes as long as a tiny run, unless a test says otherwise."""
    said = any(each.startswith(("figures=", "resume=")) for each in arguments)
    return arguments if said else (*arguments, "figures=false")


@pytest.fixture(autouse=True)
def one_thread():
    torch.set_num_threads(1)
