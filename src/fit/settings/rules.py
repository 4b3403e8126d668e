"""What every setting may be, checked before anything heavy is imported."""

from collections.abc import Mapping

from omegaconf import DictConfig, ListConfig
from omegaconf.errors import OmegaConfBaseException

from fit.catalog.activations import ACTIVATIONS
from fit.catalog.engines import ENGINES
from fit.catalog.losses import LOSSES
from fit.errors import FitError
from fit.messages import nearest, shown
from fit.settings.machine import CORES, check_accelerator, check_memory
from fit.settings.schema import (
    BOOLEAN,
    COLUMN,
    FILE,
    FRACTION,
    INITS,
    MOST,
    NAMES,
    NOT_NEGATIVE,
    NUMBER,
    POSITIVE,
    SCALING,
    TARGET,
    Rule,
    choice,
    is_domain,
    is_dotted,
    is_encoding,
    is_init,
    is_names,
    named,
    number,
    whole,
)

ERRORS = ("loss", "mse", "rmse", "max_error", "r2", "nrmse")
FORMULAS = "names with formulas, such as {y: 'sin(x)'}"
COLUMNS = Rule(NAMES, lambda value: is_names(value) and bool(value))
# What data.targets is depends on whose it is.
TARGETS = {
    "fit.data.table.table.Table": COLUMNS,
    "fit.data.datasets.custom.Custom": COLUMNS.or_null(),
    "fit.data.datasets.expression.Expression": Rule(
        FORMULAS, lambda value: isinstance(value, DictConfig) and len(value) > 0
    ),
}
RULES = {
    "seed": whole(0),
    "loss": named(LOSSES),
    "cv": whole(2).or_null(),
    "ensemble": whole(2).or_null(),
    "engine": choice("auto", *ENGINES),
    "regularization.l1": NOT_NEGATIVE,
    "regularization.l2": NOT_NEGATIVE,
    "early_stopping.patience": whole(1).or_null(),
    "optimized_metric": Rule(
        "REGION/ERROR, with train, val (or another region of the data) and " + ", ".join(ERRORS),
        lambda value: isinstance(value, str) and value.count("/") == 1 and value.split("/")[1] in ERRORS,
    ),
    "figures": BOOLEAN,
    "doctor.before": choice("warn", "stop", "off"),
    "resume": Rule("a run folder, or null", lambda value: value is None or isinstance(value, str | int)),
    "sweep.resume": Rule("a sweep folder, or null", lambda value: value is None or isinstance(value, str | int)),
    "sweep.figures": choice("best", "all", "none"),
    "data.batch_size": whole(1).or_null(),
    "data.val_fraction": FRACTION,
    "data.scale_inputs": SCALING,
    "data.scale_targets": SCALING,
    "data.seed": whole(0),
    "data.points": whole(2),
    "data.low": NUMBER,
    "data.high": NUMBER,
    "data.noise": NOT_NEGATIVE,
    "data.shift": NUMBER,
    "data.square_points": whole(2).or_null(),
    "data.labels": choice("raw", "scaled"),
    "data.path": FILE,
    "data.inputs": COLUMNS.or_null(),
    "data.targets": Rule(
        f"{FORMULAS}, or {NAMES}",
        lambda value: value is None or (isinstance(value, DictConfig | ListConfig) and len(value) > 0),
    ),
    "data.domain": Rule("a range for each input, such as {x: [-1, 1], f: [1e-3, 1e3, log]}", is_domain),
    "data.sampling": choice("uniform", "sobol", "grid", "chebyshev"),
    "data.function": Rule("MODULE.FUNCTION", is_dotted),
    "data.categorical": Rule(f"{NAMES}, or []", is_names),
    "data.val_path": FILE.or_null(),
    "data.group": COLUMN.or_null(),
    "data.val_groups": Rule("a list of groups, such as [a,b]", lambda value: is_names(value) and bool(value)).or_null(),
    "data.missing": choice("refuse", "drop"),
    "data.separator": choice("auto", "comma", "semicolon", "tab", "pipe"),
    "data.header": Rule("true, false or auto", lambda value: isinstance(value, bool) or value == "auto"),
    "data.decimal": choice("auto", "point", "comma"),
    "data.encoding": Rule("an encoding of text, such as utf-8, latin-1 or utf-16", is_encoding),
    "model.hidden": Rule(
        f"a list of whole numbers from 1 up to {MOST}, such as [64,64]",
        lambda value: isinstance(value, ListConfig) and all(map(whole(1).test, value)),
    ),
    "model.activation": named(ACTIVATIONS),
    "model.output_activation": named(ACTIVATIONS),
    "model.init": Rule(f"one of {', '.join(INITS)}, or constants such as {{weight:1,bias:0}}", is_init),
    "model.gain": POSITIVE,
    "model.bias": BOOLEAN,
    "model.dropout": FRACTION,
    "model.module": Rule("MODULE.CLASS", is_dotted),
    "model.settings": Rule(
        "the settings of the module, such as {width: 8}", lambda value: isinstance(value, DictConfig)
    ),
    "data._target_": TARGET,
    "scheduler._target_": TARGET,
    "optimizer._target_": TARGET,
    "optimizer.lr": POSITIVE,
    "optimizer.weight_decay": NOT_NEGATIVE,
    "scheduler.warmup_epochs": NOT_NEGATIVE,
    "scheduler.step_size": POSITIVE,
    "scheduler.gamma": POSITIVE,
    "scheduler.final": NOT_NEGATIVE,
    "scheduler.pct_start": number("a number above 0 and below 1", lambda value: 0 < value < 1),
    "scheduler.div_factor": POSITIVE,
    "scheduler.final_div_factor": POSITIVE,
    "trainer.max_epochs": whole(1),
    "trainer.check_val_every_n_epoch": whole(1),
    "trainer.accelerator": choice("auto", "cpu", "gpu", "cuda", "mps"),
    "trainer.precision": choice("32-true", "64-true"),
    "trainer.num_threads": Rule(
        f"a whole number from 1 to {CORES}, the processors here", lambda v: v in range(1, CORES + 1)
    ).or_null(),
    "trainer.gradient_clip_val": POSITIVE.or_null(),
    "trainer.gradient_clip_algorithm": choice("norm", "value"),
}


GROUPS = (
    "data",
    "model",
    "optimizer",
    "scheduler",
    "trainer",
    "logger",
    "regularization",
    "early_stopping",
    "doctor",
    "sweep",
)
# What only some data sets and schedules have.
OPTIONAL = ("data.", "scheduler.", "optimizer.weight_decay")
# And a module of a user's own has others than a multilayer perceptron.
OWN_MODULE = ("model.module", "model.settings")
MLP = tuple(key for key in RULES if key.startswith("model.") and key not in OWN_MODULE)


def is_own_module(cfg: DictConfig) -> bool:
    """Whether the model is a module of the user's own, whose name may still be missing."""
    return "module" in cfg.model.keys()  # noqa: SIM118 -- what is missing is not `in` it


def check(cfg: DictConfig) -> None:
    """Raise FitError for the first setting that cannot be, in one sentence with what is allowed."""
    for group in GROUPS:
        if not isinstance(cfg.get(group), DictConfig):
            raise FitError(f"{group} is missing: it holds settings; see python -m fit.train --help.")
    own = TARGETS.get(str(read(cfg, "data._target_")))
    for key, rule in (RULES | ({"data.targets": own} if own else {})).items():
        value = read(cfg, key)
        if value is MISSING:
            group, _, name = key.rpartition(".")
            # A setting that is there with ??? is one that has to be given.
            optional = (*OPTIONAL, *(MLP if is_own_module(cfg) else OWN_MODULE))
            if key.startswith(optional) and name != "_target_" and name not in cfg[group].keys():  # noqa: SIM118
                continue
            raise FitError(f"{key} is missing: give {rule.allowed}.")
        if not rule.test(value):
            raise FitError(
                f"{key}={shown(value)} is not allowed: give {rule.allowed}{nearest(str(value), rule.names)}."
            )
    low, high = read(cfg, "data.low"), read(cfg, "data.high")
    if isinstance(low, int | float) and isinstance(high, int | float) and low >= high:
        raise FitError(f"data.low={low} is not allowed: give a number below data.high={high}.")
    if cfg.cv is not None and cfg.ensemble is not None:
        raise FitError(f"cv={cfg.cv} and ensemble={cfg.ensemble} cannot be combined: give one of them.")
    check_memory(cfg)
    check_accelerator(cfg.trainer.accelerator, cfg.trainer.precision)


def check_settings(group: str, settings: Mapping[str, object], rules: Mapping[str, Rule]) -> None:
    """Raise FitError for the first setting of a group that is none or cannot be."""
    for key, value in settings.items():
        rule = rules.get(key)
        if rule is None:
            raise FitError(f"{group}.{key} is not a setting: the settings are {', '.join(rules)}.")
        if not rule.test(value):
            raise FitError(
                f"{group}.{key}={shown(value)} is not allowed: give {rule.allowed}{nearest(str(value), rule.names)}."
            )


MISSING = object()


def read(cfg: DictConfig, key: str) -> object:
    """Return a setting, or MISSING; raise FitError for a reference to what there is not."""
    group, _, name = key.rpartition(".")
    node = cfg[group] if group else cfg
    if name not in node:
        return MISSING
    try:
        return node[name]
    except OmegaConfBaseException as error:
        raise FitError(f"{key} cannot be read: {str(error).splitlines()[0]}.") from None
