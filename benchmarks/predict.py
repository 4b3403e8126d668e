"""`python -m fit.predict` on a million rows against plain torch on the same file: rows per second and peak memory."""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

ROWS = 1_000_000
PLAIN = """
import sys, numpy as np, pandas as pd, torch
from torch import nn
folder, points, output = sys.argv[1:]
stored = torch.load(folder + "/checkpoints/last.ckpt", weights_only=True)
sizes, theta = stored["sizes"], stored["theta"]
layers, at = [], 0
for i, o in zip(sizes, sizes[1:]):
    layers += [nn.Linear(i, o), nn.GELU()]
network = nn.Sequential(*layers[:-1]).requires_grad_(False)
frame = pd.read_csv(points)
x = torch.tensor(np.column_stack([frame["x"], frame["y"], np.ones(len(frame))]))
scaled = (x - stored["input_scaler"]["center"]) * stored["input_scaler"]["factor"]
values = network(scaled.float()).double() / stored["target_scaler"]["factor"] + stored["target_scaler"]["center"]
frame["x²+y²"] = values[:, 0].numpy()
frame.to_csv(output, index=False)
"""


def timed(command: list[str]) -> tuple[float, float]:
    """Run a command; return its seconds and its peak memory in GiB."""
    began = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{command[:4]} failed")
    return time.perf_counter() - began, usage.ru_maxrss / 2**20


def main() -> None:
    """Print one line for each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=ROWS)
    rows = parser.parse_args().rows
    with tempfile.TemporaryDirectory() as scratch:
        folder, points, output = (str(Path(scratch, name)) for name in ("run", "points.csv", "predictions.csv"))
        settings = ["trainer.max_epochs=5", "logger=none", f"hydra.run.dir={folder}"]
        subprocess.run([sys.executable, "-m", "fit.train", *settings], check=True, stdout=subprocess.DEVNULL)
        values = np.random.default_rng(0).uniform(-15, 15, (rows, 2))
        np.savetxt(points, values, delimiter=",", header="x,y", comments="", fmt="%.6f")
        ours = [sys.executable, "-m", "fit.predict", folder, "--input", points, "--output", output]
        for name, command in (
            ("fit.predict", ours),
            ("pandas and torch", [sys.executable, "-c", PLAIN, folder, points, output]),
        ):
            seconds, memory = timed(command)
            print(f"{name:<18}{rows / seconds:>10,.0f} rows/s, {seconds:.1f} s, peak {memory:.2f} GiB, start included")


if __name__ == "__main__":
    main()
