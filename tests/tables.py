"""Tables to train on, and the settings of short runs."""

from pathlib import Path

import numpy as np
import pandas as pd

QUICK = ("data=table", "trainer.max_epochs=2", "model.hidden=[4]", "logger=none")
ABC = ("data.path=t.csv", "data.inputs=[a,b]", "data.targets=[c]")


def frame(rows=60):
    """Numbers that are written with few digits, so that every file of them says the same."""
    random = np.random.default_rng(0)
    a, b = random.integers(-999, 999, (2, rows)) / 64
    return pd.DataFrame({"a": a, "b": b, "c": a * b + 0.5, "who": [f"g{row % 6}" for row in range(rows)]})


def train(fit, *arguments):
    run = fit(*QUICK, *arguments)
    assert (run.code, run.err) == (0, ""), run.err
    return run


def weights(run):
    return run.checkpoint()["theta"]


def refused(fit, *arguments):
    run = fit(*QUICK, *arguments)
    assert run.code == 2
    assert run.err.count("\n") == 1
    assert "Traceback" not in run.err
    assert not list(Path("outputs").rglob("*.ckpt"))
    return run.err
