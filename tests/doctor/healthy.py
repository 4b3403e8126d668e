"""Runs that are good, of all kinds: the doctor is to say nothing."""

from doctor.cases import LONG, QUICK, RAW, Case, arrays, formula, plane, table

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
    Case("robust loss, lost values", arrays("lost", "loss=mae", "trainer.max_epochs=60")),
    Case("robust loss, lost and raw", arrays("lost", "loss=huber", "data.scale_targets=none", "trainer.max_epochs=60")),
    Case("a product and its noise", table("product_noise", "a,b", "c")),
    Case("a spectral line, 35 rows", table("eckerle4", "x", "y")),
    Case("an edge smoothed", formula("tanh(10*x)", -1, 1)),
]
