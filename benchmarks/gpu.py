"""Compare a GPU with this machine's CPU: the same results to float tolerance, and the time of a step of many members.

Takes at most five minutes: python benchmarks/gpu.py [--json]
"""

import csv
import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

import torch

from fit.training.eager import Eager
from kernel import A1, MAIN_JOB, Task, build

FOLDER = Path("outputs/bench/gpu")
AS_JSON = "--json" in sys.argv


def main() -> int:
    if not torch.cuda.is_available():
        print("There is no GPU that torch can use here.")
        return 1
    shutil.rmtree(FOLDER, ignore_errors=True)
    report(
        what="device", gpu=torch.cuda.get_device_name(), cpu_threads=torch.get_num_threads(), torch=torch.__version__
    )
    good = [compare_runs("64-true", 200, 1e-6), compare_runs("32-true", 20, 1e-3), compare_sweeps(), compare_stacks()]
    for task in (A1, MAIN_JOB):
        for members in (1, 1000, 100_000) if task is A1 else (1, 1000):
            each = time_steps(task._replace(members=members))
            report(what="step", task=task.name, members=members, us_per_member_and_step=each)
    return 0 if all(good) else 1


def report(**line: object) -> None:
    """Print one result, as a line of JSON or for people."""
    print(json.dumps(line) if AS_JSON else "  ".join(f"{key} {value}" for key, value in line.items()), flush=True)


def compare_runs(precision: str, epochs: int, tolerance: float) -> bool:
    """Run the main job on both, and compare the validation losses."""
    seen = {}
    for device in ("cpu", "gpu"):
        folder = FOLDER / f"{precision}_{device}"
        settings = (f"trainer.precision={precision}", f"trainer.max_epochs={epochs}", f"hydra.run.dir={folder}")
        train(f"trainer.accelerator={device}", "engine=eager", *settings)
        seen[device] = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    ours, theirs = (seen[device]["val/loss"] for device in ("gpu", "cpu"))
    seconds = {f"seconds_{device}": round(each["seconds/fit"], 2) for device, each in seen.items()}
    return compare("main job", ours, theirs, tolerance, precision=precision, epochs=epochs, **seconds)


def compare_sweeps() -> bool:
    """Sweep learning rates and seeds on both, and compare every job's validation loss."""
    tables, seconds = {}, {}
    for device in ("cpu", "gpu"):
        folder = FOLDER / f"sweep_{device}"
        began = time.perf_counter()
        swept = ("-m", "optimizer.lr=1e-3,3e-3,1e-2", "seed=range(0,10)", "trainer.max_epochs=50")
        plain = ("engine=eager", "trainer.precision=64-true", "sweep.figures=none", f"hydra.sweep.dir={folder}")
        train(*swept, *plain, f"trainer.accelerator={device}")
        seconds[f"seconds_{device}"] = round(time.perf_counter() - began, 1)
        with (folder / "sweep.csv").open(newline="", encoding="utf-8") as file:
            tables[device] = {row["job"]: float(row["val/loss"]) for row in csv.DictReader(file)}
    worst = max(tables["cpu"], key=lambda job: abs(tables["gpu"][job] / tables["cpu"][job] - 1))
    return compare("sweep of 30", tables["gpu"][worst], tables["cpu"][worst], 1e-5, jobs=len(tables["gpu"]), **seconds)


def compare_stacks() -> bool:
    """Train 1,000 members of article A1's network on both, and compare their weights."""
    weights = {}
    for device in ("cpu", "cuda"):
        engine, batches = build(A1._replace(members=1000), Eager, device=device, dtype=torch.float64)
        for _ in range(5):
            engine.train(batches, 5)
        weights[device] = engine.stack.theta.data.cpu()
    scale = weights["cpu"].abs().max()
    return compare("stack of 1,000", 1 + float((weights["cuda"] - weights["cpu"]).abs().max() / scale), 1.0, 1e-9)


def compare(name: str, ours: float, theirs: float, tolerance: float, **more: object) -> bool:
    """Report the relative difference, and return whether it is within the tolerance."""
    difference = abs(ours / theirs - 1)
    good = difference <= tolerance
    report(what=name, difference=f"{difference:.2g}", tolerance=tolerance, good=good, **more)
    return good


def time_steps(task: Task) -> float:
    """Return the microseconds of a step for each member, in single precision."""
    engine, batches = build(task, Eager, device="cuda")
    engine.train(batches, 1)
    torch.cuda.synchronize()
    passes, began = 0, time.perf_counter()
    while passes < 3 or time.perf_counter() - began < 3:
        engine.train(batches, 10**6)
        torch.cuda.synchronize()
        passes += 1
    seconds = time.perf_counter() - began
    return float(f"{1e6 * seconds / passes / len(batches) / task.members:.3g}")


def train(*arguments: str) -> None:
    """Run the command; its output is shown if it fails."""
    command = (sys.executable, "-m", "fit.train", *arguments, "logger=none", "figures=false")
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stdout + done.stderr)


if __name__ == "__main__":
    sys.exit(main())
