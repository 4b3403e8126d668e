"""Time a step of the kernel beside the plain PyTorch loop and JAX, where it is: medians of interleaved rounds.

    python benchmarks/kernel.py [--json] [--rounds 7] [--python PYTHON_WITH_JAX]

A line for each task: microseconds of CPU and of wall time for each member and step, with one thread and with all.
"""

import argparse
import json
import math
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import torch
from torch import nn

from fit.data.batches import Batches
from fit.evaluation.losses import find_loss
from fit.model.stack import Stack
from fit.model.start import start_values
from fit.settings.machine import CORES
from fit.training.engine import Engine
from fit.training.kernel import Kernel
from fit.training.recipe import Recipe
from fit.training.schedules import Schedule

PEER = Path(__file__).parent / "peers" / "jax_scan.py"
PAUSE = 0.3  # until the threads of what ran before have gone to sleep
Seconds = tuple[float, float]  # of CPU and of wall time


class Task(NamedTuple):
    """A network and how it is trained; `steps` are those of a round."""

    name: str
    sizes: tuple[int, ...]
    activation: str
    output_activation: str
    optimizer: str
    rows: int
    batch: int
    members: int
    steps: int


A1 = Task("A1 identity", (3, 64, 1), "identity", "identity", "RAdam", 36, 2, 1, 9000)
MAIN_JOB = Task("main job", (3, 64, 64, 1), "gelu", "identity", "Adam", 1024, 64, 1, 320)
TASKS = [
    *(
        A1._replace(name=f"A1 {activation}", activation=activation, members=members, steps=steps)
        for activation in ("identity", "gelu", "tanh")
        for members, steps in ((1, 18_000), (1000, 900))
    ),
    Task("A4", (1, 32, 32, 32, 32, 32, 3), "gelu", "gelu", "Adam", 100, 100, 1, 200),
    MAIN_JOB,
]


def ours(task: Task, threads: int) -> Callable[[], Seconds]:
    """Return what times a round of the kernel."""
    engine, batches = build(task, Kernel, threads)
    passes = task.steps // len(batches)

    def run() -> Seconds:
        wall, cpu, until = time.perf_counter(), time.process_time(), engine.epoch + passes
        while engine.epoch < until:
            engine.train(batches, until)
        return time.process_time() - cpu, time.perf_counter() - wall

    return run


def build(
    task: Task, kind: type[Engine], threads: int = 1, device: str = "cpu", dtype: torch.dtype = torch.float32
) -> tuple[Engine, Batches]:
    """Build a stack with random rows."""
    generator, ends = torch.Generator().manual_seed(0), (task.sizes[0], task.sizes[-1])
    inputs, targets = (torch.randn(1, task.rows, size, generator=generator).to(device, dtype) for size in ends)
    members, seeds = task.members, [index % 5 for index in range(task.members)]
    recipe = Recipe(
        optimizer=getattr(torch.optim, task.optimizer),
        optimizer_settings={},
        lr=[1e-3] * members,
        seeds=seeds,
        l1=[0.0] * members,
        l2=[0.0] * members,
        clip_val=[math.inf] * members,
        weight_decay=[0.0] * members,
        max_epochs=[10**9] * members,
        schedule=Schedule(),
        loss=find_loss("mse"),
        evaluate_every=10,
        threads=threads,
    )
    starts = torch.stack([start_values(task.sizes, seed) for seed in range(min(members, 1000))])
    starts = starts.repeat(math.ceil(members / len(starts)), 1)[:members].to(device, dtype)
    stack = Stack(starts, task.sizes, task.activation, task.output_activation)
    return kind(stack, recipe), Batches(inputs, targets, task.batch, seeds)


def plain(task: Task, threads: int = 1) -> Callable[[], Seconds]:
    """Return what times a round of the loop that everybody writes, of one member."""
    torch.manual_seed(0)
    layers: list[nn.Module] = []
    for place, (fan_in, fan_out) in enumerate(pairwise(task.sizes)):
        name = task.activation if place < len(task.sizes) - 2 else task.output_activation
        layers += [nn.Linear(fan_in, fan_out), {"identity": nn.Identity, "gelu": nn.GELU, "tanh": nn.Tanh}[name]()]
    model, loss = nn.Sequential(*layers), nn.MSELoss()
    optimizer = getattr(torch.optim, task.optimizer)(model.parameters(), lr=1e-3)
    inputs, targets = torch.randn(task.rows, task.sizes[0]), torch.randn(task.rows, task.sizes[-1])
    steps = min(task.steps, 320)

    def run() -> Seconds:
        torch.set_num_threads(threads)
        wall, cpu, taken = time.perf_counter(), time.process_time(), 0
        while taken < steps:
            parts = torch.randperm(task.rows).split(task.batch) if task.batch < task.rows else [slice(None)]
            for part in parts:
                optimizer.zero_grad()
                loss(model(inputs[part]), targets[part]).backward()
                optimizer.step()
                taken += 1
        scale = task.steps * task.members / taken
        return (time.process_time() - cpu) * scale, (time.perf_counter() - wall) * scale

    return run


class Jax:
    """The peer, in a process of its own; the best of its ways counts."""

    def __init__(self, python: str, task: Task) -> None:
        described = {key: value for key, value in task._asdict().items() if key != "name"}
        described["chunks"] = [1] if task.members == 1 else [128, task.members]
        self.process = subprocess.Popen(
            [python, str(PEER)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        self.say(json.dumps(described))
        self.there = self.answer() == "ready"
        self.ways: dict[str, list[Seconds]] = {}

    def say(self, line: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def answer(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def run(self) -> None:
        self.say("again")
        for way, seconds in json.loads(self.answer()).items():
            self.ways.setdefault(way, []).append(tuple(seconds))

    def best(self, which: int) -> float:
        return min(statistics.median(each[which] for each in rounds) for rounds in self.ways.values())

    def close(self) -> None:
        self.process.kill()
        self.process.communicate()


def measure(task: Task, rounds: int, python: str) -> dict[str, object]:
    """Time the ways in turn; return the medians in microseconds for each member and step."""
    timed = {"ours": ours(task, 1), f"ours_{CORES}_threads": ours(task, CORES), "plain": plain(task)}
    seconds: dict[str, list[Seconds]] = {name: [] for name in timed}
    jax = Jax(python, task)
    for count in range(rounds + 1):
        for name, run in timed.items():
            time.sleep(PAUSE)
            found = run()
            if count:  # not what is done at the first time alone
                seconds[name].append(found)
        if jax.there:
            time.sleep(PAUSE)
            jax.run()
    scale = 1e6 / task.steps / task.members
    line: dict[str, object] = {"task": task.name, "members": task.members, "rounds": rounds}
    for which, clock in enumerate(("cpu", "wall")):
        for name, each in seconds.items():
            line[f"{name}_us_{clock}"] = float(f"{scale * statistics.median(found[which] for found in each):.4g}")
        if jax.there:
            line[f"jax_us_{clock}"] = float(f"{scale * jax.best(which):.4g}")
    jax.close()
    return line


def show(line: dict[str, object]) -> None:
    """Print a task for people: what a step takes, and its part of each other way's."""
    one, many = f"{line['ours_us_cpu']:>9} µs CPU", line[f"ours_{CORES}_threads_us_wall"]
    text = f"{line['task']:<12} {line['members']:>5} members {one}, {many:>9} µs wall with {CORES} threads"
    text += f"; {float(str(line['ours_us_cpu'])) / float(str(line['plain_us_cpu'])):.4f} of the plain loop"
    if "jax_us_cpu" in line:
        cpu, wall = (
            float(str(line[key])) / float(str(line[other]))
            for key, other in (("ours_us_cpu", "jax_us_cpu"), (f"ours_{CORES}_threads_us_wall", "jax_us_wall"))
        )
        text += f"; of JAX {cpu:.2f} CPU, {wall:.2f} wall"
    print(text, flush=True)


def main() -> None:
    """Print every task."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--python", default=sys.executable, help="a Python that has JAX")
    asked = parser.parse_args()
    for task in TASKS:
        line = measure(task, asked.rounds, asked.python)
        if asked.json:
            print(json.dumps(line), flush=True)
        else:
            show(line)


if __name__ == "__main__":
    main()
