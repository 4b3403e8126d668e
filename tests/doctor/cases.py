"""What the doctor's cases are made of: what a person types, and the files that it names."""

from pathlib import Path
from typing import NamedTuple

import numpy as np

# Where a case's files are written; it stands for the folder that `write_files` was given.
FILES = "FILES"


class Case(NamedTuple):
    """What was typed, and the ids of which one is right (none: the run is healthy)."""

    name: str
    overrides: list[str]
    ids: tuple[str, ...] = ()


def formula(text, low=-1.0, high=1.0, *more):
    return ["data=expression", f'data.targets={{y: "{text}"}}', f"data.domain={{x: [{low}, {high}]}}", *more]


def plane(text, low, high, *more):
    domain = f"data.domain={{a: [{low}, {high}], b: [{low}, {high}]}}"
    return ["data=expression", f'data.targets={{y: "{text}"}}', domain, *more]


def write_files(folder):
    """Write the arrays that some cases read."""
    random = np.random.default_rng(0)
    x, fresh = random.uniform(-2, 2, (400, 1)), random.uniform(-2, 2, (400, 1))
    wave, fresh_wave = np.sin(2 * x), np.sin(2 * fresh)
    plane, fresh_plane = random.uniform(-1, 1, (400, 2)), random.uniform(-1, 1, (400, 2))
    far = random.random((400, 1)) < 0.04

    def save(name, inputs, targets, val_inputs=None, val_targets=None):
        more = {} if val_inputs is None else {"val_inputs": val_inputs, "val_targets": val_targets}
        np.savez(Path(folder) / f"{name}.npz", inputs=inputs, targets=targets, **more)

    save("typos", x, np.where(far, 1000 * wave, wave), fresh, fresh_wave)
    save("broken", x, np.where(far, -50.0, wave), fresh, fresh_wave)
    product, fresh_product = plane.prod(1, keepdims=True), fresh_plane.prod(1, keepdims=True)
    save("spikes", plane, product + far * random.normal(0, 30, (400, 1)), fresh_plane, fresh_product)
    save("beyond", x, wave, fresh + 4, np.sin(2 * (fresh + 4)))
    corner = plane[(plane < 0).all(1)]
    save("corner", corner, np.sin(3 * corner).sum(1)[:, None], fresh_plane, np.sin(3 * fresh_plane).sum(1)[:, None])
    save("table", x[:50], wave[:50] + random.normal(0, 0.4, (50, 1)))
    many = random.normal(0, 1, (120, 8))
    save("many", many, many[:, :1] + many[:, 1:2] * many[:, 2:3] + random.normal(0, 0.5, (120, 1)))
    save("noise", many, random.normal(0, 1, (120, 1)))
    save("healthy", plane, np.exp(product), fresh_plane, np.exp(fresh_product))
    save("noisy", x, wave + random.normal(0, 0.1, (400, 1)))
    one, astray = wave.copy(), x.copy()
    one[17], astray[:3] = 1e6, 99999
    save("giant", x, one, fresh, fresh_wave)
    save("astray", astray, wave, fresh, fresh_wave)
    few = random.uniform(-3, 3, (40, 1))
    measured, fresh_measured = wave + random.normal(0, 0.2, x.shape), fresh_wave + random.normal(0, 0.2, x.shape)
    save("lost", x, np.where(far, -999.0, measured), fresh, fresh_measured)
    save("few", few, np.sin(few) + random.normal(0, 0.3, few.shape), 1.5 * fresh, np.sin(1.5 * fresh))
    wide = random.normal(0, 1, (120, 1500))
    save("wide", wide, wide[:, :1] + 0.5 * wide[:, 1:2] + random.normal(0, 0.5, (120, 1)))


# What people and NIST's Statistical Reference Datasets measured.
TABLES = Path(__file__).parent / "tables"


def table(name, inputs, target, *more):
    return [
        "data=table",
        f"data.path={TABLES / name}.csv",
        f"data.inputs=[{inputs}]",
        f"data.targets=[{target}]",
        *more,
    ]


def arrays(name, *more):
    return ["data=arrays", f"data.path={FILES}/{name}.npz", *more]


RAW = ("data.scale_inputs=none", "data.scale_targets=none")
GD = ("optimizer=sgd", "scheduler=constant")
LONG = ("data.batch_size=null", "trainer.max_epochs=1000", "trainer.check_val_every_n_epoch=25")
QUICK = ("data.points=256", "data.batch_size=null", "trainer.max_epochs=1000", "trainer.check_val_every_n_epoch=25")
