"""Runs that fail for a known reason, and runs that do not: what a person typed, and what the doctor should say."""

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


def arrays(name, *more):
    return ["data=arrays", f"data.path={FILES}/{name}.npz", *more]


RAW = ("data.scale_inputs=none", "data.scale_targets=none")
GD = ("optimizer=sgd", "scheduler=constant")
LONG = ("data.batch_size=null", "trainer.max_epochs=1000", "trainer.check_val_every_n_epoch=25")
QUICK = ("data.points=256", "data.batch_size=null", "trainer.max_epochs=1000", "trainer.check_val_every_n_epoch=25")

FAULTY = [
    # step_too_large
    Case("article, exploding", ["experiment=a3_exploding"], ("step_too_large", "inputs_unscaled")),
    Case(
        "5x² and noise, SGD at 0.1",
        formula(
            "5*x**2",
            -3,
            3,
            "data.noise=0.5",
            "data.scale_targets=none",
            *GD,
            "optimizer.lr=0.1",
            "data.points=256",
            "trainer.max_epochs=200",
        ),
        ("step_too_large", "targets_unscaled"),
    ),
    Case(
        "Adam at 3",
        ["data=multi_function", "optimizer.lr=3", "scheduler=constant", "trainer.max_epochs=1000"],
        ("step_too_large",),
    ),
    Case(
        "momentum at 1",
        plane("a**2+b**2", -15, 15, "optimizer=momentum", "optimizer.lr=1", *QUICK),
        ("step_too_large",),
    ),
    Case(
        "Nesterov, sine, at 2",
        formula("sin(3*x)", -2, 2, "optimizer=nesterov", "optimizer.lr=2", "model=mlp_tanh", *QUICK),
        ("step_too_large",),
    ),
    # step_too_small
    Case("Adam at 1e-6", formula("sin(2*x)", -2, 2, "optimizer.lr=1e-6", *QUICK), ("step_too_small",)),
    Case("SGD at 1e-5", formula("x**3", -2, 2, *GD, "optimizer.lr=1e-5", *QUICK), ("step_too_small",)),
    Case(
        "thermometer, SGD at 1e-5",
        ["data=temperature", "model=linear", *GD, "optimizer.lr=1e-5", "trainer.max_epochs=1000"],
        ("step_too_small",),
    ),
    Case("RMSprop at 1e-6", plane("a*b", -2, 2, "optimizer=rmsprop", "optimizer.lr=1e-6", *QUICK), ("step_too_small",)),
    # too_few_epochs
    Case(
        "sine, 10 epochs", formula("sin(5*x)", -2, 2, "data.points=256", "trainer.max_epochs=10"), ("too_few_epochs",)
    ),
    Case(
        "square, 3 epochs",
        ["data=xy_square", "trainer.max_epochs=3", "trainer.check_val_every_n_epoch=1"],
        ("too_few_epochs",),
    ),
    Case(
        "three functions, 30 epochs",
        ["data=multi_function", "trainer.max_epochs=30", "trainer.check_val_every_n_epoch=2"],
        ("too_few_epochs",),
    ),
    Case(
        "plane, tanh, 5 epochs",
        plane("sin(a)*cos(b)", -3, 3, "model=mlp_tanh", "trainer.max_epochs=5", "trainer.check_val_every_n_epoch=1"),
        ("too_few_epochs",),
    ),
    # inputs_unscaled
    Case("article, slow", ["experiment=a3_slow", "trainer.max_epochs=5000"], ("inputs_unscaled",)),
    Case("x⁴ on [-100, 100]", formula("x**4", -100, 100, *RAW, *QUICK), ("inputs_unscaled", "targets_unscaled")),
    Case("sine at years", formula("sin(x)", 2000, 2006, "data.scale_inputs=none", *QUICK), ("inputs_unscaled",)),
    Case(
        "one large input",
        [
            "data=expression",
            'data.targets={y: "sin(a)+b/1000"}',
            "data.domain={a: [-3, 3], b: [0, 3000]}",
            "data.scale_inputs=none",
            *QUICK,
        ],
        ("inputs_unscaled",),
    ),
    # targets_unscaled
    Case("x² times a million", formula("1e6*x**2", -1, 1, "data.scale_targets=none", *QUICK), ("targets_unscaled",)),
    Case("offset of 5000", formula("5000+sin(3*x)", -1, 1, "data.scale_targets=none", *QUICK), ("targets_unscaled",)),
    Case("small targets", formula("1e-4*sin(4*x)", -1, 1, "data.scale_targets=none", *QUICK), ("targets_unscaled",)),
    # target_constant
    Case("article, cured", ["experiment=a1_cured", "trainer.max_epochs=30"], ("target_constant",)),
    Case("constant", formula("3+0*x", -1, 1, "trainer.max_epochs=10"), ("target_constant",)),
    Case(
        "all but constant",
        formula("1000+1e-3*x**2", -1, 1, "data.scale_targets=none", *QUICK),
        ("target_constant", "targets_unscaled"),
    ),
    # affine_model
    Case(
        "article, raw, no activation",
        ["experiment=a1_raw", "trainer.max_epochs=50"],
        ("affine_model", "target_constant", "inputs_unscaled", "step_too_large"),
    ),
    Case("linear on a square", ["data=xy_square", "model=linear", "trainer.max_epochs=50"], ("affine_model",)),
    Case("identity layers on a sine", formula("sin(3*x)", -2, 2, "model=mlp_identity", *QUICK), ("affine_model",)),
    Case(
        "linear on a product",
        plane("a*b", -1, 1, "model=linear", "data.points=256", "trainer.max_epochs=50"),
        ("affine_model",),
    ),
    # one_target_dominates
    Case(
        "one of 1000 and one of 1",
        [
            "data=expression",
            'data.targets={big: "1000*x**2", small: "sin(3*x)"}',
            "data.domain={x: [-1, 1]}",
            "data.scale_targets=none",
            "optimizer.lr=0.03",
            *QUICK,
        ],
        ("one_target_dominates", "targets_unscaled"),
    ),
    Case(
        "volts and millivolts",
        [
            "data=expression",
            'data.targets={v: "exp(x)", mv: "0.001*sin(5*x)"}',
            "data.domain={x: [-2, 2]}",
            "data.scale_targets=none",
            *QUICK,
        ],
        ("one_target_dominates", "targets_unscaled"),
    ),
    Case(
        "three sizes",
        [
            "data=expression",
            'data.targets={p: "100*a*b", q: "a-b", r: "0.1*cos(2*a)"}',
            "data.domain={a: [-1, 1], b: [-1, 1]}",
            "data.scale_targets=none",
            *QUICK,
        ],
        ("one_target_dominates", "targets_unscaled"),
    ),
    # output_range
    Case("article, shifted", ["experiment=a4_shifted", "trainer.max_epochs=300"], ("output_range",)),
    Case(
        "sigmoid out of range",
        formula("3*sin(2*x)", -2, 2, "model.output_activation=sigmoid", *QUICK),
        ("output_range",),
    ),
    Case("ReLU below zero", formula("x**3-x", -2, 2, "model.output_activation=relu", *QUICK), ("output_range",)),
    Case(
        "tanh on raw °C",
        [
            "data=temperature",
            "model=mlp_tanh",
            "model.output_activation=tanh",
            "data.scale_targets=none",
            "trainer.max_epochs=1000",
        ],
        ("output_range",),
    ),
    # network_too_small
    Case(
        "2 units, sine of five periods",
        formula("sin(5*x)", -3, 3, "model=mlp_tanh", "model.hidden=[2]", *QUICK),
        ("network_too_small", "bad_start"),
    ),
    Case(
        "3 ReLUs in two dimensions",
        plane("sin(2*a)*cos(2*b)", -2, 2, "model=mlp_relu", "model.hidden=[3]", *QUICK),
        ("network_too_small", "bad_start"),
    ),
    Case(
        "4 units, many bumps",
        formula("sin(4*x)+cos(7*x)", -3, 3, "model.hidden=[4]", *QUICK),
        ("network_too_small", "bad_start"),
    ),
    # dead_units
    Case(
        "ReLUs that never answer",
        plane("a**2+b", -2, 2, "model=mlp_relu", "model.hidden=[32]", "model.init={weight: 0.1, bias: -5}", *QUICK),
        ("dead_units",),
    ),
    Case(
        "ReLUs killed by raw inputs",
        formula("x**2", -100, 100, *RAW, "model=mlp_relu", *GD, "optimizer.lr=1e-5", *QUICK),
        ("dead_units", "step_too_large", "inputs_unscaled", "targets_unscaled"),
    ),
    Case(
        "ReLUs killed by large steps",
        formula("sin(2*x)", -2, 2, "model=mlp_relu", "optimizer=momentum", "optimizer.lr=0.7", *QUICK),
        ("dead_units", "step_too_large"),
    ),
    # saturated_units
    Case(
        "tanh with gain 50", formula("sin(3*x)", -1, 1, "model=mlp_tanh", "model.gain=50", *QUICK), ("saturated_units",)
    ),
    Case(
        "tanh on raw thousands",
        plane("sin(a/500)*b/1000", -2000, 2000, "model=mlp_tanh", "data.scale_inputs=none", *QUICK),
        ("saturated_units", "inputs_unscaled"),
    ),
    Case(
        "sigmoid with gain 100",
        plane("a*b", -1, 1, "model=mlp_sigmoid", "model.gain=100", *QUICK),
        ("saturated_units",),
    ),
    # vanishing_gradient
    Case(
        "eight sigmoid layers",
        formula("sin(3*x)", -2, 2, "model=mlp_sigmoid", "model.hidden=[32,32,32,32,32,32,32,32]", *QUICK),
        ("vanishing_gradient",),
    ),
    Case(
        "six sigmoid layers, SGD",
        plane("a*b", -1, 1, "model=mlp_sigmoid", "model.hidden=[16,16,16,16,16,16]", *GD, "optimizer.lr=0.1", *QUICK),
        ("vanishing_gradient",),
    ),
    Case(
        "ten tanh layers, small start",
        formula(
            "cos(4*x)",
            -1,
            1,
            "model=mlp_tanh",
            "model.hidden=[16,16,16,16,16,16,16,16,16,16]",
            "model.gain=0.3",
            *QUICK,
        ),
        ("vanishing_gradient",),
    ),
    # overfit
    Case(
        "20 noisy points",
        formula(
            "sin(2*x)",
            -3,
            3,
            "data.points=20",
            "data.noise=0.3",
            "data.batch_size=null",
            "trainer.max_epochs=3000",
            "trainer.check_val_every_n_epoch=50",
        ),
        ("overfit",),
    ),
    Case(
        "60 noisy points, five inputs",
        [
            "data=expression",
            'data.targets={y: "a+b*c-d*e"}',
            "data.domain={a: [-1, 1], b: [-1, 1], c: [-1, 1], d: [-1, 1], e: [-1, 1]}",
            "data.points=60",
            "data.noise=0.3",
            "data.batch_size=null",
            "trainer.max_epochs=1000",
            "trainer.check_val_every_n_epoch=25",
        ],
        ("overfit",),
    ),
    Case(
        "40 noisy points in the plane",
        plane(
            "sin(2*a)+b",
            -2,
            2,
            "data.points=40",
            "data.noise=0.5",
            "data.batch_size=null",
            "trainer.max_epochs=2000",
            "trainer.check_val_every_n_epoch=50",
        ),
        ("overfit",),
    ),
    Case("50 noisy rows of a table", arrays("table", *LONG), ("overfit",)),
    Case("120 rows of eight inputs", arrays("many", *LONG), ("overfit",)),
    # noisy_plateau
    Case(
        "batches of 2, Adam at 0.03",
        formula(
            "sin(3*x)",
            -2,
            2,
            "data.points=256",
            "data.batch_size=2",
            "optimizer.lr=0.03",
            "scheduler=constant",
            "trainer.max_epochs=30",
            "trainer.check_val_every_n_epoch=1",
        ),
        ("noisy_plateau", "step_too_large"),
    ),
    Case(
        "batches of 4, momentum, noise",
        plane(
            "a*b",
            -2,
            2,
            "data.points=256",
            "data.batch_size=4",
            "data.noise=0.5",
            "optimizer=momentum",
            "optimizer.lr=0.05",
            "scheduler=constant",
            "trainer.max_epochs=60",
            "trainer.check_val_every_n_epoch=2",
        ),
        ("noisy_plateau", "step_too_large"),
    ),
    Case(
        "batches of 1, SGD, line and noise",
        formula(
            "2*x+1",
            -1,
            1,
            "model=linear",
            "data.points=128",
            "data.batch_size=1",
            "data.noise=1.0",
            *GD,
            "optimizer.lr=0.3",
            "trainer.max_epochs=40",
            "trainer.check_val_every_n_epoch=1",
        ),
        ("noisy_plateau", "step_too_large"),
    ),
    # does_not_generalize
    Case("ring, asked about the square", ["data=xy_ring", "trainer.max_epochs=300"], ("does_not_generalize",)),
    Case("sine, asked beyond", arrays("beyond", *LONG), ("does_not_generalize",)),
    Case("a corner of the plane", arrays("corner", *LONG), ("does_not_generalize",)),
    # outliers
    Case("typos in the targets", arrays("typos", *LONG), ("outliers",)),
    Case("a broken sensor", arrays("broken", *LONG), ("outliers",)),
    Case("spikes in the plane", arrays("spikes", *LONG), ("outliers",)),
    # nothing_to_learn
    Case("a table of noise", arrays("noise", *LONG), ("nothing_to_learn",)),
    Case("article, noise", ["experiment=a2"], ("nothing_to_learn",)),
    Case("noise, Adam", ["data=random_linear", "trainer.max_epochs=200"], ("nothing_to_learn",)),
    Case(
        "noise without end",
        formula("0*x", -1, 1, "data.noise=1", "data.points=256", "trainer.max_epochs=50"),
        ("nothing_to_learn", "target_constant"),
    ),
    # bad_start
    Case(
        "one bump, two ReLUs",
        formula("abs(x)", -1, 1, "model=mlp_relu", "model.hidden=[2]", "seed=4", *QUICK),
        ("bad_start", "dead_units", "network_too_small"),
    ),
    Case(
        "XOR of two tanh",
        plane("tanh(5*a)*tanh(5*b)", -1, 1, "model=mlp_tanh", "model.hidden=[2]", "seed=1", *QUICK),
        ("bad_start", "network_too_small"),
    ),
    Case(
        "equal start values",
        formula("sin(3*x)", -2, 2, "model=mlp_tanh", "model.init={weight: 0.5, bias: 0}", *QUICK),
        ("bad_start",),
    ),
    # float_floor
    Case(
        "double precision needed",
        formula("x**2", 1000000, 1000001, *RAW, *QUICK),
        ("float_floor", "inputs_unscaled", "targets_unscaled"),
    ),
    Case(
        "sine at a hundred thousand",
        formula("sin(x)", 100000, 100006, "data.scale_inputs=none", *QUICK),
        ("float_floor", "inputs_unscaled"),
    ),
    Case(
        "offset of a million",
        formula("1e6+sin(3*x)", -1, 1, "data.scale_targets=none", *QUICK),
        ("float_floor", "targets_unscaled", "target_constant"),
    ),
]

HEALTHY = [
    Case("main job", ["model=mlp_gelu", "data=xy_square", "trainer.max_epochs=100"]),
    Case("article, honest", ["experiment=a1_honest"]),
    Case("article, thermometer", ["experiment=a3_ours"]),
    Case("article, scaled thermometer", ["experiment=a3_scaled"]),
    Case("article, three functions", ["experiment=a4_ours", "trainer.max_epochs=3000"]),
    Case("sine, tanh, Adam", formula("sin(3*x)", -2, 2, "model=mlp_tanh", *QUICK)),
    Case("cubic, ReLU, AdamW", formula("x**3-x", -2, 2, "model=mlp_relu", "optimizer=adamw", *QUICK)),
    Case("bump, SiLU, NAdam", formula("1/(1+x**2)", -5, 5, "model=mlp_silu", "optimizer=nadam", *QUICK)),
    Case("exponential, ELU, RAdam", formula("exp(x)", -2, 2, "model=mlp_elu", "optimizer=radam", *QUICK)),
    Case("saddle, softplus", plane("a*a-b*b", -2, 2, "model=mlp_softplus", *QUICK)),
    Case("product, sin, seed 3", plane("a*b", -2, 2, "model=mlp_sin", "seed=3", *QUICK)),
    Case("waves, GELU, seed 5", plane("sin(a)*cos(b)", -3, 3, "seed=5", "data.points=512", "trainer.max_epochs=150")),
    Case(
        "noise, SiLU",
        formula("sin(2*x)", -3, 3, "data.noise=0.2", "model=mlp_silu", "data.points=1024", "trainer.max_epochs=60"),
    ),
    Case(
        "noise, Huber",
        formula("x**2", -2, 2, "data.noise=0.3", "loss=huber", "data.points=1024", "trainer.max_epochs=60"),
    ),
    Case(
        "line, SGD",
        formula(
            "2*x+1",
            -1,
            1,
            "model=linear",
            "optimizer=sgd",
            "optimizer.lr=0.3",
            "data.points=128",
            "trainer.max_epochs=100",
        ),
    ),
    Case("plane, linear, Adam", plane("3*a-b+2", -5, 5, "model=linear", "data.points=128", "trainer.max_epochs=200")),
    Case(
        "noisy line, linear",
        formula("2*x+1", -1, 1, "model=linear", "data.noise=0.5", "data.points=256", "trainer.max_epochs=100"),
    ),
    Case("thermometer, linear, Adam", ["data=temperature", "model=linear", "trainer.max_epochs=2000"]),
    Case("thermometer, network", ["data=temperature", "model=mlp_tanh", "model.hidden=[8]", "trainer.max_epochs=300"]),
    Case(
        "sine, Nesterov",
        formula(
            "sin(2*x)",
            -2,
            2,
            "optimizer=nesterov",
            "optimizer.lr=0.01",
            "model=mlp_tanh",
            "data.points=512",
            "trainer.max_epochs=300",
        ),
    ),
    Case("square, momentum", ["data=xy_square", "optimizer=momentum", "optimizer.lr=0.05", "trainer.max_epochs=100"]),
    Case(
        "logarithm, leaky ReLU, cycle", formula("log(x)", 1, 10, "model=mlp_leaky_relu", "scheduler=one_cycle", *QUICK)
    ),
    Case(
        "four inputs",
        [
            "data=expression",
            'data.targets={y: "a*b+c-d**2"}',
            "data.domain={a: [-1, 1], b: [-1, 1], c: [-1, 1], d: [-1, 1]}",
            "trainer.max_epochs=100",
        ],
    ),
    Case(
        "two targets, min-max",
        [
            "data=expression",
            'data.targets={u: "100*x**2", v: "sin(3*x)"}',
            "data.domain={x: [-1, 1]}",
            "data.scale_targets=minmax",
            "optimizer.lr=3e-3",
            *QUICK,
        ],
    ),
    Case(
        "sigmoid, one layer",
        formula("tanh(3*x)", -2, 2, "model=mlp_sigmoid", "model.hidden=[32]", "optimizer.lr=0.05", *QUICK),
    ),
    Case("mean absolute error", formula("cos(2*x)", -2, 2, "loss=mae", *QUICK)),
    Case("raw but small", formula("x**2", -1, 1, *RAW, *QUICK)),
    Case("double precision", formula("sin(x)", -3, 3, "trainer.precision=64-true", *QUICK)),
    Case("Adagrad", formula("x**2", -1, 1, "optimizer=adagrad", *QUICK)),
    Case("RMSprop, cosine", formula("cos(x)", -3, 3, "optimizer=rmsprop", "optimizer.lr=3e-3", *QUICK)),
    Case("held-out rows", ["data=xy_square", "data.val_fraction=0.2", "trainer.max_epochs=60"]),
    Case("L2", formula("x**2", -1, 1, "regularization.l2=1e-6", *QUICK)),
    Case("arrays", arrays("healthy", *LONG)),
    Case("noisy arrays", arrays("noisy", "trainer.max_epochs=100")),
    Case("Kelvin", formula("300+sin(2*x)", -2, 2, *QUICK)),
]
