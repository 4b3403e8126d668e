"""Run every attempt of the four articles by its command, and compare what they claim with what is measured."""

import csv
import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import torch

FOLDER = Path("outputs/articles") / time.strftime("%Y-%m-%d_%H-%M-%S")


class Result:
    """The files of one finished run."""

    def __init__(self, folder: Path) -> None:
        """Read them."""
        self.metrics = json.loads((folder / "metrics.json").read_text())
        with (folder / "history.csv").open() as file:
            self.history = {
                int(row["epoch"]): {key: float(value) for key, value in row.items()} for row in csv.DictReader(file)
            }
        self.theta = torch.load(folder / "checkpoints" / "last.ckpt")["theta"].double()
        self.scalers = [
            torch.load(folder / "checkpoints" / "last.ckpt")[f"{kind}_scaler"] for kind in ("input", "target")
        ]

    def __getitem__(self, key: str) -> float:
        """Return a number of metrics.json."""
        return self.metrics[key]

    def line(self) -> tuple[float, float]:
        """Return slope and offset of a network of one weight and one bias, in original units."""
        inputs, targets = self.scalers
        slope = self.theta[0] * inputs["factor"] / targets["factor"]
        offset = self.theta[1] / targets["factor"] + targets["center"] - inputs["center"] * slope
        return float(slope), float(offset)


class Claim(NamedTuple):
    """What an article says of an attempt, what to show of it, what is expected, and whether the claim then holds."""

    experiment: str
    says: str
    measured: Callable[[Result], str]
    expected: Callable[[Result], bool]
    holds: str


def near(value: float, target: float, relative: float) -> bool:
    """Whether a value is within a relative distance of a target."""
    return abs(value - target) <= relative * abs(target)


def worst_target(result: Result) -> float:
    """Return the largest nrmse on fresh points of all targets."""
    return max(target["val/nrmse"] for target in result.metrics["targets"].values())


def distance_to_closed_form(result: Result) -> float:
    """Return how far slope and offset are from those of least squares, written out here."""
    rows = [line.split(",") for line in Path("src/fit/data/temperature.csv").read_text().split()[1:]]
    x, y = (torch.tensor([float(row[column]) for row in rows], dtype=torch.float64) for column in (0, 1))
    slope = float(((x - x.mean()) * (y - y.mean())).sum() / (x - x.mean()).square().sum())
    offset = float(y.mean()) - slope * float(x.mean())
    return max(abs(ours - exact) for ours, exact in zip(result.line(), (slope, offset), strict=True))


CLAIMS = [
    Claim(
        "a1_raw",
        "on raw coordinates the loss stays high",
        lambda r: (
            f"MSE {r['train/mse']:.3g}; "
            f"always the mean {r['baseline/mean_mse']:.3g}, affine {r['baseline/affine_mse']:.3g}"
        ),
        lambda r: r["train/mse"] > 100 * r["baseline/mean_mse"],
        "yes",
    ),
    Claim(
        "a1_cured",
        "standardizing, 100 epochs and batch 2 cure it",
        lambda r: f"MSE {r['train/mse']:.2g}, but R² {r['train/r2']:.3f}, on the square {r['square/r2']:.3f}",
        lambda r: r["square/r2"] < 0 and 0.55 < r["train/r2"] < 0.61,
        "NO",
    ),
    Claim(
        "a1_honest",
        "(ours) R² above 0.9999 on the square",
        lambda r: f"R² {r['val/r2']:.6f} on fresh points of the square",
        lambda r: r["val/r2"] > 0.9999,
        "yes",
    ),
    Claim(
        "a2",
        "the loop trains: the loss falls in 100 epochs",
        lambda r: (
            f"{r.history[0]['train/loss']:.3f} to {r['train/loss']:.3f}; "
            f"least squares {r['floor/loss']:.3f}, val R² {r['val/r2']:.2f}"
        ),
        lambda r: near(r["train/loss"], 1.34, 0.005) and near(r["floor/loss"], 0.849, 0.001),
        "hardly",
    ),
    Claim(
        "a3_exploding",
        "lr 1e-2 on raw readings explodes",
        lambda r: f"loss not finite at epoch {r['diverged_epoch']}",
        lambda r: r["diverged_epoch"] == 11,
        "yes",
    ),
    Claim(
        "a3_slow",
        "lr 1e-4: loss 3.7 after 100,000 epochs",
        lambda r: "{:.5f}; w {:.5f}, b {:.5f}".format(r["train/pass_loss"], *r.theta.tolist()),
        lambda r: near(r["train/pass_loss"], 3.71673, 5e-6) and near(float(r.theta[1]), -14.30322, 5e-6),
        "yes",
    ),
    Claim(
        "a3_scaled",
        "readings × 0.1, lr 1e-2: 3.8 after 1,000 epochs",
        lambda r: (
            f"{r.history[1000]['train/pass_loss']:.5f}; {r.history[5000]['train/pass_loss']:.5f} after 5,000; "
            + "w {:.5f}, b {:.5f} after 10,000".format(*r.theta.tolist())
        ),
        lambda r: (
            near(r.history[1000]["train/pass_loss"], 3.82854, 5e-6)
            and near(r.history[5000]["train/pass_loss"], 2.92765, 5e-6)
            and near(float(r.theta[0]), 5.36762, 5e-6)
            and near(float(r.theta[1]), -17.30423, 5e-6)
        ),
        "yes",
    ),
    Claim(
        "a3_ours",
        "(ours) within 1e-6 of the closed form in 200 epochs",
        lambda r: f"{distance_to_closed_form(r):.1e} after {r['epochs']} epochs",
        lambda r: distance_to_closed_form(r) < 1e-6 and r["epochs"] < 200,
        "yes",
    ),
    Claim(
        "a4",
        "three functions are learned in 1,000 epochs",
        lambda r: f"summed loss {r['train/loss']:.3g} from {r.history[0]['train/loss']:.3g}",
        lambda r: r["train/loss"] < 1,
        "yes",
    ),
    Claim(
        "a4_shifted",
        "shifted by 10 it suddenly cannot learn",
        lambda r: f"summed loss {r['train/loss']:.1f}; no GELU output gets below {r['floor/loss']:.2f}",
        lambda r: near(r["train/loss"], 4535, 0.01) and near(r["floor/loss"], 4244.48, 1e-6),
        "yes",
    ),
    Claim(
        "a4_ours",
        "(ours) shift included, nrmse below 1e-3 everywhere",
        lambda r: f"worst target: nrmse {worst_target(r):.1e}",
        lambda r: worst_target(r) < 1e-3,
        "yes",
    ),
]


def main() -> int:
    """Run all, print the table, and return 1 if anything was not as expected."""
    print(
        f"{'experiment':<14}{'what the article says, and what is measured here':<80}{'holds':<8}as expected", flush=True
    )
    missed = 0
    for claim in CLAIMS:
        folder = FOLDER / claim.experiment
        command = [sys.executable, "-m", "fit.train", f"experiment={claim.experiment}", f"hydra.run.dir={folder}"]
        subprocess.run(command, check=True, capture_output=True)
        result = Result(folder)
        met = claim.expected(result)
        missed += not met
        print(f"{claim.experiment:<14}{claim.says:<80}{claim.holds:<8}{'yes' if met else 'NO'}")
        print(f"{'':<14}{claim.measured(result)}", flush=True)
    print(f"\nrun folders: {FOLDER}")
    return int(missed > 0)


if __name__ == "__main__":
    sys.exit(main())
