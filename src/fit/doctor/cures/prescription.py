"""The overrides that cure a run: the change that removes a cause, and what training then needs as well."""

import math
from collections.abc import Mapping
from dataclasses import replace

from omegaconf import OmegaConf

from fit.data.problem import pose
from fit.data.scalers import Scaler
from fit.doctor.case import Case
from fit.doctor.measurements.moments import second_moments
from fit.doctor.thresholds import (
    ADAPTIVE_RATES,
    AFFINE_STEPS,
    DEEP,
    DEEP_RATE,
    DEFAULT_RATE,
    DESCENT_PART,
    DIGITS_GAINED,
    FIT_STEPS,
    FLOOR_PART,
    GOOD_NRMSE,
    LONG_PATIENCE,
    LONG_WARMUP,
    MISSES,
    OFF_TARGETS,
    SHAPE_ROOM,
    SHORT_LENGTH,
    SIN_REACH,
    SOUND_GAINS,
    TIGHT_CLIP,
    UNSCALED_CONDITION,
    UNSCALED_TARGETS,
    WIDE,
)
from fit.messages import shown
from fit.model.functions import find_activation
from fit.training.recipe import build_schedule

Changes = Mapping[str, object]


def prescribe(case: Case, changes: Changes | None = None, steps: int = FIT_STEPS) -> list[str]:
    """Return the overrides that make the `changes`, and those without which these would not help.

    The latter give a model that can fit the targets, scaled data, and a suitable optimizer for at least `steps` steps.
    Overrides that equal the run's own settings are left out.
    """
    wanted = fix_shape(case) | fix_scaling(case) | dict(changes or {}) | reach_high_frequencies(case)
    wanted |= prescribe_training(case_with(case, wanted), steps)
    if "early_stopping.patience" not in wanted:
        wanted |= keep_running(case, int(str(wanted.get("trainer.max_epochs", case.cfg.trainer.max_epochs))))
    if case.mlp is None:  # a module of a user's own has settings of its own
        wanted = {key: value for key, value in wanted.items() if not key.startswith("model.")}
    return [f"{key}={shown(value)}" for key, value in wanted.items() if case.cfg.select(key) != value]


def fix_shape(case: Case) -> dict[str, object]:
    """Return the changes to a model that cannot fit the targets."""
    changes: dict[str, object] = {}
    if case.mlp is None:
        return changes
    if needs_nonlinearity(case):
        changes["model.activation"] = "gelu"
        if not case.mlp.hidden:
            changes["model.hidden"] = [64, 64]
    bounded = not find_activation(case.mlp.output_activation).affine
    if bounded and (case.floor or 0) > FLOOR_PART * case.baseline_loss:
        changes["model.output_activation"] = "identity"
    if (changes.get("model.hidden") or case.mlp.hidden) and not isinstance(case.cfg.model.init, str):
        changes["model.init"] = "default"
    low, high = SOUND_GAINS
    # Where the gain is a frequency, it is wanted.
    if not low <= case.cfg.model.gain <= high and not find_activation(case.mlp.activation).periodic:
        changes["model.gain"] = 1.0
    return changes


def keep_running(case: Case, epochs: int) -> dict[str, object]:
    """Return the change that turns off early stopping which would end the run long before `epochs`."""
    patience = case.cfg.early_stopping.patience
    return {"early_stopping.patience": None} if patience is not None and patience < LONG_PATIENCE * epochs else {}


def reach_high_frequencies(case: Case) -> dict[str, object]:
    """Return the changes that fit high frequencies, if the run missed the targets."""
    missed = case.trained and not case.diverged and not case.affine and case.train_error > MISSES
    return high_frequency_start(case) if missed else {}


def needs_nonlinearity(case: Case) -> bool:
    """Whether the model is affine and the targets are not."""
    known = case.attainable if case.affine else None
    return known is not None and bool(((known.smooth < SHAPE_ROOM * known.affine) & (known.affine > GOOD_NRMSE)).any())


def high_frequency_start(case: Case) -> dict[str, object]:
    """Return an activation and a gain that fit targets which vary over a short length of the inputs.

    Source: Sitzmann et al., Implicit Neural Representations with Periodic Activation Functions (2020).
    """
    length = case.attainable.length
    if case.mlp is None or case.problem.dataset.logarithmic:  # bends of the scale, not of the function
        return {}
    return {"model.activation": "sin", "model.gain": round(SIN_REACH / length, 1)} if length < SHORT_LENGTH else {}


def fix_scaling(case: Case) -> dict[str, object]:
    """Return the changes that standardize badly scaled data; the targets sooner if the inputs change anyway."""
    data, changes = case.cfg.data, dict[str, object]()
    if data.scale_inputs != "standardize" and inputs_are_unscaled(case):
        changes["data.scale_inputs"] = "standardize"
    if data.scale_targets != "standardize" and target_misscaling(case) > (OFF_TARGETS if changes else UNSCALED_TARGETS):
        changes["data.scale_targets"] = "standardize"
    return changes


def inputs_are_unscaled(case: Case) -> bool:
    """Whether the scaled inputs are tiny, or make the loss far steeper in one direction than in another."""
    inputs = case.scaled.inputs
    spread = inputs.std(0)[inputs.amin(0) < inputs.amax(0)]
    small, seen = len(spread) > 0 and float(spread.min()) < 1 / UNSCALED_TARGETS, case.network
    return small or (
        seen.condition_number > UNSCALED_CONDITION and seen.condition_number > 10 * seen.standardized_condition_number
    )


def target_misscaling(case: Case) -> float:
    """Return how far the scaled targets are from mean 0 and deviation 1: the largest factor or relative offset."""
    targets = case.inlier_targets
    spread = targets.std(0, correction=0)
    varying = spread > 0
    if not varying.any():
        return 1.0
    spread, center = spread[varying], targets.mean(0)[varying].abs()
    return float(max((center / spread).max(), spread.max(), (1 / spread).max()))


def case_with(case: Case, changes: Changes) -> Case:
    """Return the untrained case of a run with changed settings."""
    cfg, train, problem = case.cfg.with_changes(changes), case.problem.train, case.problem
    data = {key.removeprefix("data."): value for key, value in changes.items() if key.startswith("data.")}
    if data.keys() <= {"scale_inputs", "scale_targets"}:  # the rows stay as they are
        inputs = Scaler.fit(cfg.data.scale_inputs, train.inputs)
        targets = Scaler.fit(cfg.data.scale_targets, train.targets, zero_constants=True)
        return Case(cfg, replace(problem, input_scaler=inputs, target_scaler=targets))
    return Case(cfg, pose(replace(problem.dataset, **data)))  # type: ignore[arg-type]


def prescribe_training(case: Case, steps: int) -> dict[str, object]:
    """Return the optimizer, learning rate, schedule and epochs that suit the case."""
    return (
        prescribe_descent(case) if case.affine and case.network.optimizer.descent else prescribe_adaptive(case, steps)
    )


def prescribe_descent(case: Case) -> dict[str, object]:
    """Return the rate at which gradient descent converges fastest on a quadratic loss, and the epochs it needs.

    Source: Nesterov, Introductory Lectures on Convex Optimization (2004), the step 2/(λmax+λmin).
    """
    low, high = second_moments(case.scaled.inputs, case.cfg.model.bias)
    low, high = case.network.moment_factor * low, case.network.moment_factor * high
    momentum, batches = float(case.cfg.optimizer.get("momentum") or 0.0), case.steps_per_epoch
    rate = round_rate((1 - momentum) * 2 / (low + high) * (DESCENT_PART if batches > 1 else 1.0))
    slowest = -math.log(max(abs(1 - rate / (1 - momentum) * low), 1e-6))
    epochs = math.ceil(DIGITS_GAINED * math.log(10) / slowest / batches)
    return {"optimizer.lr": rate} | (prescribe_schedule(case) if batches > 1 else {}) | prescribe_epochs(case, epochs)


def prescribe_adaptive(case: Case, steps: int) -> dict[str, object]:
    """Return an adaptive optimizer with a learning rate for small networks, a schedule, and epochs for `steps`."""
    optimizer, hidden, wanted = case.cfg.optimizer, case.mlp.hidden if case.mlp else (), dict[str, object]()
    rate = DEEP_RATE if len(hidden) >= DEEP or max([0, *hidden]) > WIDE else DEFAULT_RATE
    if not case.network.optimizer.adaptive:
        wanted |= {"optimizer": "adam", "optimizer.lr": rate}
    elif not ADAPTIVE_RATES[0] < optimizer.lr <= ADAPTIVE_RATES[1]:
        wanted["optimizer.lr"] = rate
    clip = case.cfg.trainer.gradient_clip_val
    if clip is not None and clip < TIGHT_CLIP:
        wanted["trainer.gradient_clip_val"] = None
    needed = AFFINE_STEPS if case.affine else steps
    return wanted | prescribe_schedule(case) | prescribe_epochs(case, math.ceil(needed / case.steps_per_epoch))


def prescribe_schedule(case: Case) -> dict[str, object]:
    """Return a schedule that decays to zero, unless there is one, without a long warm-up."""
    warmup = case.cfg.scheduler.get("warmup_epochs") if not isinstance(case.cfg.scheduler, str) else 0.0
    long = float(warmup or 0.0) > LONG_WARMUP * case.cfg.trainer.max_epochs
    return ({} if decays_to_zero(case) else {"scheduler": "cosine"}) | (
        {"scheduler.warmup_epochs": 0.0} if long else {}
    )


def decays_to_zero(case: Case) -> bool:
    """Whether the schedule decays the learning rate to about zero at the end of the run."""
    schedule = case.cfg.scheduler
    return isinstance(schedule, str) or build_schedule(OmegaConf.create({"scheduler": schedule.to_dict()})).ends_low


def prescribe_epochs(case: Case, epochs: int) -> dict[str, object]:
    """Return at least so many epochs, rounded up to two digits, if the run has fewer."""
    if epochs <= case.cfg.trainer.max_epochs:
        return {}
    unit = 10 ** max(0, len(str(epochs)) - 2)
    return {"trainer.max_epochs": -(-epochs // unit) * unit}


def round_rate(rate: float) -> float:
    """Round a learning rate down to two digits."""
    if not math.isfinite(rate) or rate <= 0:
        return DEFAULT_RATE
    unit = 10 ** (math.floor(math.log10(rate)) - 1)
    return float(f"{math.floor(rate / unit) * unit:.2g}")
