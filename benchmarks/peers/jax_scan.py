"""Article A1's cured settings as a JAX expert would sweep them: many members in one scan (needs `pip install jax`)."""

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax

POINTS = Path(__file__).parents[2] / "src/fit/data/xy_ring.csv"
HIDDEN, BATCH = 64, 2
BETA1, BETA2, EPS = 0.9, 0.999, 1e-8

Tree = Any  # nested tuples of arrays


class State(NamedTuple):
    """Weights and RAdam's two averages, each a tuple of arrays."""

    theta: Tree
    mean: Tree
    square: Tree


def rows() -> tuple[np.ndarray, np.ndarray]:
    """Return the standardized points as `[x, y, 1]`, and x² + y² of them."""
    points = np.loadtxt(POINTS, delimiter=",", skiprows=1)
    points[:, :2] = (points[:, :2] - points[:, :2].mean(0)) / points[:, :2].std(0, ddof=1)
    targets = np.square(points[:, :2]).sum(1, keepdims=True)
    return points.astype(np.float32), targets.astype(np.float32)


INPUTS, TARGETS = rows()


def start(seed: Array) -> State:
    """Draw one member's weights as xavier_normal and torch's biases do, with empty averages."""
    keys = iter(jax.random.split(jax.random.key(seed), 4))
    theta: list[Array] = []
    for fan_in, fan_out in ((3, HIDDEN), (HIDDEN, 1)):
        theta.append(jax.random.normal(next(keys), (fan_in, fan_out)) * (2 / (fan_in + fan_out)) ** 0.5)
        theta.append(jax.random.uniform(next(keys), (fan_out,), minval=-(fan_in**-0.5), maxval=fan_in**-0.5))
    return State(tuple(theta), *(jax.tree.map(jnp.zeros_like, tuple(theta)) for _ in range(2)))


def loss(theta: Tree, inputs: Array, targets: Array) -> Array:
    """Return the mean squared error of one member."""
    weight1, bias1, weight2, bias2 = theta
    return jnp.square((inputs @ weight1 + bias1) @ weight2 + bias2 - targets).mean()


def radam(steps: int) -> np.ndarray:
    """Return, for each step, RAdam's factors `[steps, 2]` of a plain and of a rectified adaptive update; one is 0."""
    step = np.arange(1, steps + 1)
    correction1, correction2 = 1 - BETA1**step, 1 - BETA2**step
    limit = 2 / (1 - BETA2) - 1
    rho = limit - 2 * step * BETA2**step / correction2
    rectified = rho > 5
    ratio = (rho - 4) * (rho - 2) * limit / ((limit - 4) * (limit - 2) * rho)
    rectification = np.sqrt(np.where(rectified, ratio * correction2, 0))
    return (np.stack([~rectified, rectification], 1) / correction1[:, None]).astype(np.float32)


def update(state: State, rate: Array, order: Array, factors: Array) -> State:
    """Take one step of one member on the rows `order [batch]`."""
    gradient = jax.grad(loss)(state.theta, jnp.asarray(INPUTS)[order], jnp.asarray(TARGETS)[order])
    mean = jax.tree.map(lambda m, g: m + (1 - BETA1) * (g - m), state.mean, gradient)
    square = jax.tree.map(lambda v, g: BETA2 * v + (1 - BETA2) * g * g, state.square, gradient)
    theta = jax.tree.map(
        lambda p, m, v: p - rate * m * (factors[0] + factors[1] / (jnp.sqrt(v) + EPS)), state.theta, mean, square
    )
    return State(theta, mean, square)


def vmap_of_scan(unroll: int, states: State, rates: Array, orders: Array, factors: Array) -> State:
    """Train all members on `orders [members, steps, batch]`: members outside, steps inside."""

    def train(state: State, rate: Array, orders: Array) -> State:
        return lax.scan(lambda s, x: (update(s, rate, *x), None), state, (orders, factors), unroll=unroll)[0]

    return jax.vmap(train)(states, rates, orders)


def scan_of_vmap(unroll: int, states: State, rates: Array, orders: Array, factors: Array) -> State:
    """Do the same with steps outside, members inside."""
    members = jax.vmap(update, in_axes=(0, 0, 0, None))
    steps = (orders.swapaxes(0, 1), factors)
    return lax.scan(lambda s, x: (members(s, rates, *x), None), states, steps, unroll=unroll)[0]


def shuffle(generators: list[np.random.Generator], passes: int) -> np.ndarray:
    """Draw each seed's rows `[seeds, steps, batch]`, shuffled anew for every pass."""
    each = np.tile(np.arange(len(INPUTS), dtype=np.int32), (passes, 1))
    return np.stack([generator.permuted(each, axis=1) for generator in generators]).reshape(len(generators), -1, BATCH)


def measure(way: Callable[..., State], unroll: int, members: int, seeds: int, passes: int, repeats: int) -> dict:
    """Compile one way and time it, drawing the batches included; every repeat trains from the start."""
    steps = passes * len(INPUTS) // BATCH
    seed_of_member = np.arange(members) % seeds
    rates = jnp.asarray(np.geomspace(1e-4, 1e-2, -(-members // seeds))[np.arange(members) // seeds], jnp.float32)
    factors = jnp.asarray(radam(steps))
    draw = jax.jit(jax.vmap(start))
    mean_loss = jax.jit(lambda theta: jax.vmap(loss, in_axes=(0, None, None))(theta, INPUTS, TARGETS).mean())

    began = time.perf_counter()
    shapes = jax.ShapeDtypeStruct((members, steps, BATCH), jnp.int32)
    run = jax.jit(partial(way, unroll), donate_argnums=0)
    run = run.lower(jax.eval_shape(draw, seed_of_member), rates, shapes, factors).compile()
    compiling = time.perf_counter() - began

    seconds = []
    for _ in range(repeats + 1):
        generators = [np.random.default_rng(seed) for seed in range(seeds)]
        states = jax.block_until_ready(draw(seed_of_member))
        first = float(mean_loss(states.theta))
        began = time.perf_counter()
        states = run(states, rates, shuffle(generators, passes)[seed_of_member], factors)
        jax.block_until_ready(states)
        seconds.append(time.perf_counter() - began)
    median = statistics.median(seconds[1:])
    return {
        "members": members,
        "seeds": seeds,
        "steps": steps,
        "way": f"{way.__name__}, unroll {unroll}",
        "compile_seconds": compiling,
        "run_seconds": median,
        "microseconds_per_member_and_step": median / members / steps * 1e6,
        "first_mean_loss": first,
        "final_mean_loss": float(mean_loss(states.theta)),
    }


def main() -> None:
    """Print what the fastest way takes as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--members", type=int, default=1000, help="learning rates from 1e-4 to 1e-2, times seeds")
    parser.add_argument("--seeds", type=int, default=5, help="different start values and batches among the members")
    parser.add_argument("--passes", type=int, default=10, help="over the 36 rows, 18 steps each")
    parser.add_argument("--repeats", type=int, default=9)
    asked = parser.parse_args()
    sizes = (asked.members, min(asked.seeds, asked.members), asked.passes, asked.repeats)
    results = [measure(way, unroll, *sizes) for way in (vmap_of_scan, scan_of_vmap) for unroll in (1, 3)]
    fastest = min(results, key=lambda result: result["run_seconds"])
    others = {result["way"]: result["microseconds_per_member_and_step"] for result in results}
    print(json.dumps(fastest | {"every_way": others}, indent=2))
    if not fastest["final_mean_loss"] < fastest["first_mean_loss"]:
        sys.exit("The loss did not fall.")


if __name__ == "__main__":
    main()
