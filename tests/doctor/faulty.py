"""Runs that fail for a known reason: what a person typed, and what the doctor should say."""

from doctor.cases import GD, LONG, QUICK, RAW, Case, arrays, formula, plane, table

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
        ("step_too_large", "dead_units"),
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
    Case(
        "x⁴ on [-100, 100]",
        formula("x**4", -100, 100, *RAW, *QUICK),
        ("inputs_unscaled", "targets_unscaled", "dead_units"),
    ),
    Case(
        "sine at years",
        formula("sin(x)", 2000, 2006, "data.scale_inputs=none", *QUICK),
        ("inputs_unscaled", "dead_units"),
    ),
    Case(
        "one large input",
        [
            "data=expression",
            'data.targets={y: "sin(a)+b/1000"}',
            "data.domain={a: [-3, 3], b: [0, 3000]}",
            "data.scale_inputs=none",
            *QUICK,
        ],
        ("inputs_unscaled", "dead_units"),
    ),
    # targets_unscaled
    Case("x² times a million", formula("1e6*x**2", -1, 1, "data.scale_targets=none", *QUICK), ("targets_unscaled",)),
    Case(
        "offset of 5000",
        formula("5000+sin(3*x)", -1, 1, "data.scale_targets=none", *QUICK),
        ("targets_unscaled", "target_constant"),
    ),
    Case("small targets", formula("1e-4*sin(4*x)", -1, 1, "data.scale_targets=none", *QUICK), ("targets_unscaled",)),
    # target_constant
    Case(
        "article, cured",
        ["experiment=a1_cured", "trainer.max_epochs=30"],
        ("target_constant", "affine_model", "targets_unscaled"),
    ),
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
        ("affine_model", "target_constant", "inputs_unscaled", "step_too_large", "targets_unscaled"),
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
        ("dead_units", "bad_start"),
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
        "tanh with gain 50",
        formula("sin(3*x)", -1, 1, "model=mlp_tanh", "model.gain=50", *QUICK),
        ("saturated_units", "overfit"),
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
        ("vanishing_gradient", "step_too_small"),
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
    Case("50 noisy rows of a table", arrays("table", *LONG), ("unexplained",)),
    Case("120 rows of eight inputs", arrays("many", *LONG), ("overfit",)),
    # noisy_plateau
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
    Case(
        "batches of 2, Adam at 0.05",
        formula(
            "sin(3*x)",
            -2,
            2,
            "data.points=256",
            "data.batch_size=2",
            "optimizer.lr=0.05",
            "scheduler=constant",
            "trainer.max_epochs=30",
            "trainer.check_val_every_n_epoch=1",
        ),
        ("noisy_plateau", "step_too_large", "dead_units", "too_few_epochs", "bad_start"),
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
        ("noisy_plateau", "step_too_large", "dead_units", "bad_start"),
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
        ("bad_start", "saturated_units"),
    ),
    # float_floor
    Case(
        "double precision needed",
        formula("x**2", 1000000, 1000001, *RAW, *QUICK),
        ("float_floor", "inputs_unscaled", "targets_unscaled", "dead_units", "target_constant"),
    ),
    Case(
        "sine at a hundred thousand",
        formula("sin(x)", 100000, 100006, "data.scale_inputs=none", *QUICK),
        ("float_floor", "inputs_unscaled", "dead_units"),
    ),
    Case(
        "offset of a million",
        formula("1e6+sin(3*x)", -1, 1, "data.scale_targets=none", *QUICK),
        ("float_floor", "targets_unscaled", "target_constant"),
    ),
    # the same, as somebody else thought of them
    Case("one row of a million", arrays("giant", "model=mlp_relu"), ("outliers",)),
    Case("inputs astray", arrays("astray", "model=mlp_tanh"), ("outliers",)),
    Case(
        "stopped after a few epochs",
        formula(
            "sin(6*x)",
            -3,
            3,
            "data.points=256",
            "data.batch_size=32",
            "model=mlp_tanh",
            "optimizer.lr=1e-3",
            "trainer.check_val_every_n_epoch=1",
            "early_stopping.patience=5",
            "trainer.max_epochs=1000",
        ),
        ("too_few_epochs",),
    ),
    Case(
        "warming up for ever",
        formula("sin(3*x)", -3, 3, "data.points=256", "data.batch_size=32", "scheduler.warmup_epochs=20000"),
        ("step_too_small",),
    ),
    Case(
        "a rate that falls at once",
        formula(
            "sin(3*x)",
            -3,
            3,
            "data.points=256",
            "data.batch_size=32",
            "scheduler=exponential",
            "scheduler.gamma=0.3",
        ),
        ("step_too_small",),
    ),
    Case(
        "three layers, gain of 8",
        plane(
            "a*b",
            -2,
            2,
            "model.hidden=[64,64,64]",
            "model.init=kaiming_normal",
            "model.gain=8",
            "optimizer=momentum",
        ),
        ("bad_start", "step_too_large"),
    ),
    Case(
        "one target of two is constant",
        [
            "data=expression",
            'data.targets={c: "1000+0*x", y: "sin(2*x)"}',
            "data.domain={x: [-3, 3]}",
            "data.scale_targets=none",
            "optimizer.lr=2e-3",
        ],
        ("target_constant",),
    ),
    Case(
        "few rows, wide layers",
        arrays("few", "model.hidden=[128,128]", "trainer.max_epochs=1500", "data.batch_size=null"),
        ("overfit",),
    ),
    Case(
        "25 points of a function",
        plane("sin(4*a)*sin(4*b)", -2, 2, "data.points=25", "data.batch_size=null", "trainer.max_epochs=1000"),
        ("overfit",),
    ),
    # from public reports
    Case(
        "sums of sines behind a sigmoid",
        table(
            "sinsum",
            "a,b,c,d,bias",
            "y",
            "model=mlp_sigmoid",
            "model.hidden=[6]",
            "model.output_activation=sigmoid",
            *GD,
            "optimizer.lr=0.1",
            *RAW,
        ),
        ("output_range", "step_too_small"),
    ),
    Case(
        "a line of seven points behind a ReLU",
        table(
            "line7",
            "x",
            "y",
            "model=mlp_relu",
            "model.hidden=[4,2]",
            "model.output_activation=relu",
            "optimizer.lr=1e-3",
            "scheduler=constant",
            *RAW,
            "trainer.max_epochs=500",
        ),
        ("output_range",),
    ),
    Case("XOR with 1000 for 1", table("xor1000", "a,b", "y"), ("outliers",)),
    Case("electron mobility, 200 steps", table("thurber", "x", "y"), ("too_few_epochs",)),
    Case("pressure differences", table("enso", "x", "y", "trainer.max_epochs=1000"), ("unexplained",)),
    Case("1500 columns, 120 rows", arrays("wide"), ("overfit",)),
    Case("a step", formula("where(x<0.5, 1, 0)", 0, 1), ("jump",)),
    Case("a cliff in the plane", plane("where(a<0.3, 1, 0)+0.2*b", -1, 1, "model=mlp_tanh"), ("jump",)),
]
