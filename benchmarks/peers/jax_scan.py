"""Small networks as a JAX expert would train many of them: steps in one scan (needs `pip install jax`).

Reads a task as JSON from its first line of input, compiles every way once, and then answers each further line with the
CPU and wall seconds of each way, as JSON.
"""

import json
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax

BETA1, BETA2, EPS = 0.9, 0.999, 1e-8
ACTIVATIONS = {"identity": lambda x: x, "tanh": jnp.tanh, "gelu": partial(jax.nn.gelu, approximate=False)}

Tree = Any  # nested tuples of arrays


class State(NamedTuple):
    """Weights and two averages of their gradients, each a tuple of arrays."""

    theta: Tree
    mean: Tree
    square: Tree


class Task(NamedTuple):
    """What is trained: so many members for so many steps, `chunk` of them in one call."""

    sizes: list[int]
    activation: str
    output_activation: str
    optimizer: str
    rows: int
    batch: int
    members: int
    steps: int
    chunks: list[int]


def start(sizes: list[int], seed: Array) -> State:
    """Draw one member's weights, with empty averages."""
    theta: list[Array] = []
    for key, fan_in, fan_out in zip(jax.random.split(jax.random.key(seed), len(sizes)), sizes, sizes[1:], strict=False):
        theta += [jax.random.normal(key, (fan_in, fan_out)) * fan_in**-0.5, jnp.zeros(fan_out)]
    return State(tuple(theta), *(jax.tree.map(jnp.zeros_like, tuple(theta)) for _ in range(2)))


def loss(task: Task, theta: Tree, inputs: Array, targets: Array) -> Array:
    """Return the mean squared error of one member."""
    values, layers = inputs, len(theta) // 2
    for layer in range(layers):
        name = task.activation if layer < layers - 1 else task.output_activation
        values = ACTIVATIONS[name](values @ theta[2 * layer] + theta[2 * layer + 1])
    return jnp.square(values - targets).mean()


def factors_of(task: Task) -> np.ndarray:
    """Return, for each step, the factors `[steps, 3]` of a plain and of an adaptive update, and of the root."""
    step = np.arange(1, task.steps + 1)
    correction1, correction2 = 1 - BETA1**step, 1 - BETA2**step
    if task.optimizer == "Adam":
        return np.stack([0 * correction1, 1 / correction1, correction2**-0.5], 1).astype(np.float32)
    limit = 2 / (1 - BETA2) - 1
    rho = limit - 2 * step * BETA2**step / correction2
    rectified = rho > 5
    ratio = (rho - 4) * (rho - 2) * limit / ((limit - 4) * (limit - 2) * rho)
    rectification = np.sqrt(np.where(rectified, ratio * correction2, 0))
    return np.stack([~rectified / correction1, rectification / correction1, 0 * step + 1], 1).astype(np.float32)


def update(task: Task, rows: tuple[Array, Array], state: State, rate: Array, order: Array, factors: Array) -> State:
    """Take one step of one member on the rows `order [batch]`."""
    inputs, targets = (rows[0][order], rows[1][order]) if task.batch < task.rows else rows
    gradient = jax.grad(partial(loss, task))(state.theta, inputs, targets)
    mean = jax.tree.map(lambda m, g: m + (1 - BETA1) * (g - m), state.mean, gradient)
    square = jax.tree.map(lambda v, g: BETA2 * v + (1 - BETA2) * g * g, state.square, gradient)
    theta = jax.tree.map(
        lambda p, m, v: p - rate * m * (factors[0] + factors[1] / (jnp.sqrt(v) * factors[2] + EPS)),
        state.theta,
        mean,
        square,
    )
    return State(theta, mean, square)


Step = Callable[..., State]


def vmap_of_scan(step: Step, unroll: int, states: State, rates: Array, orders: Array, factors: Array) -> State:
    """Train all members on `orders [steps, batch]`: members outside, steps inside."""

    def train(state: State, rate: Array) -> State:
        return lax.scan(lambda s, x: (step(s, rate, *x), None), state, (orders, factors), unroll=unroll)[0]

    return jax.vmap(train)(states, rates)


def scan_of_vmap(step: Step, unroll: int, states: State, rates: Array, orders: Array, factors: Array) -> State:
    """Do the same with steps outside, members inside."""
    members = jax.vmap(step, in_axes=(0, 0, None, None))
    return lax.scan(lambda s, x: (members(s, rates, *x), None), states, (orders, factors), unroll=unroll)[0]


def prepare(task: Task) -> dict[str, Callable[[], None]]:
    """Compile every way, with all members in one call or in chunks that stay in the caches."""
    draw = np.random.default_rng(0)
    rows = tuple(
        jnp.asarray(draw.normal(size=(task.rows, size)), jnp.float32) for size in task.sizes[:: len(task.sizes) - 1]
    )
    factors, shapes = jnp.asarray(factors_of(task)), jax.ShapeDtypeStruct((task.steps, task.batch), jnp.int32)
    ways = {}
    for chunk in task.chunks:
        rates = jnp.full(chunk, 1e-3, jnp.float32)
        states = jax.jit(jax.vmap(partial(start, task.sizes)))(np.arange(chunk))
        for way in (vmap_of_scan, scan_of_vmap):
            for unroll in (1, 3):
                run = jax.jit(partial(way, partial(update, task, rows), unroll))
                run = run.lower(states, rates, shapes, factors).compile()
                name = f"{way.__name__}, unroll {unroll}, {chunk} in a call"
                ways[name] = partial(train, task, run, states, rates, factors, -(-task.members // chunk), draw)
    return ways


def train(
    task: Task,
    run: Callable[..., State],
    states: State,
    rates: Array,
    factors: Array,
    calls: int,
    draw: np.random.Generator,
) -> None:
    """Train all members, drawing the batches included."""
    passes, per_pass = -(-task.steps * task.batch // task.rows), task.rows // task.batch * task.batch
    each = np.tile(np.arange(task.rows, dtype=np.int32), (passes, 1))
    orders = draw.permuted(each, axis=1)[:, :per_pass].reshape(-1, task.batch)[: task.steps]
    for _ in range(calls):
        jax.block_until_ready(run(states, rates, orders, factors))


def main() -> None:
    """Answer with times."""
    ways = prepare(Task(**json.loads(sys.stdin.readline())))
    for run in ways.values():
        run()
    print("ready", flush=True)
    for _ in sys.stdin:
        seconds = {}
        for name, run in ways.items():
            wall, cpu = time.perf_counter(), time.process_time()
            run()
            seconds[name] = (time.process_time() - cpu, time.perf_counter() - wall)
        print(json.dumps(seconds), flush=True)


if __name__ == "__main__":
    main()
