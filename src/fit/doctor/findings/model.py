"""Causes that lie in the network."""

import math

from fit.doctor.case import Case
from fit.doctor.finding import Finding
from fit.doctor.findings.steps import settled
from fit.doctor.prescription import bending, cannot_bend, prescribe
from fit.doctor.thresholds import (
    FEW_WEIGHTS,
    FLOAT_UNITS,
    FLOOR_PART,
    GOOD_NRMSE,
    JITTER,
    PENALTY_PART,
    SHAPE_ROOM,
    SHORT_LENGTH,
    STRONG_DROPOUT,
)
from fit.doctor.trial import trial
from fit.measure.floor import Shape, floor
from fit.model.activations import ACTIVATIONS


def output_range(case: Case) -> Finding | None:
    """Targets that the output activation cannot reach."""
    activation = case.cfg.model.output_activation
    if activation == "identity" or case.spread <= 0:
        return None
    lowest = floor(Shape(case.shape.hidden, case.shape.activation, activation, True), case.cfg.loss, case.scaled)
    if lowest is None or lowest < FLOOR_PART * case.spread:
        return None
    reach, targets = ACTIVATIONS[activation], case.scaled.targets
    low, high = float(targets.min()), float(targets.max())
    words = f"from {reach.low:.3g} to {reach.high:.3g}" if math.isfinite(reach.high) else f"above {reach.low:.3g}"
    return Finding(
        "output_range",
        "certain",
        {"floor": lowest, "low": low, "high": high, "reach_low": reach.low, "reach_high": reach.high},
        f"{activation} at the output answers {words} only, and the targets go from {low:.3g} to {high:.3g}: the loss "
        f"cannot fall below {lowest:.6g}, whatever the weights.",
        prescribe(case),
        f"a loss below {lowest:.6g}",
    )


def affine_model(case: Case) -> Finding | None:
    """An affine function for targets that are not affine."""
    if not cannot_bend(case):
        return None
    known = case.attainable
    better = known.smooth < SHAPE_ROOM * known.affine
    target = int((known.affine * better).nan_to_num(0.0).argmax())
    name = case.problem.dataset.target_names[target]
    affine, smooth = float(known.affine[target]), float(known.smooth[target])
    return Finding(
        "affine_model",
        "certain" if smooth < 0.2 * affine else "likely",
        {"target": name, "nrmse_affine": affine, "nrmse_smooth": smooth},
        f"Without an activation, any number of layers is one affine function; the best one misses {name} by {affine:.2g} "
        f"of its spread, a smooth function by {smooth:.2g}.",
        prescribe(case),
        f"an error of about {smooth:.2g} of the spread",
    )


def float_floor(case: Case) -> Finding | None:
    """Errors that are as small as single precision allows."""
    if case.cfg.trainer.precision != "32-true" or case.diverged:
        return None
    targets = case.scaled.targets
    inputs = case.scaled.inputs
    spread = targets.std(0, correction=0)
    # What rounding an input, or an output, to single precision moves, over the spread of each.
    places = 2.0**-24
    varying = inputs.amin(0) < inputs.amax(0)
    rounding_in = places * float((inputs.abs().amax(0) / inputs.std(0))[varying].max()) if varying.any() else 0.0
    rounding_out = places * float((targets.abs().amax(0) / spread.clamp(min=1e-300)).max())
    limit = FLOAT_UNITS * max(rounding_in, rounding_out)
    if limit < GOOD_NRMSE * 0.1 or case.worst > 1e3 * limit:
        return None
    return Finding(
        "float_floor",
        "likely",
        {"rounding_inputs": rounding_in, "rounding_targets": rounding_out, "nrmse": case.worst},
        f"Rounding to single precision alone moves the numbers by {max(rounding_in, rounding_out):.2g} of their spread, "
        "before any training.",
        prescribe(case, {"trainer.precision": "64-true"}),
        "sixteen digits instead of seven",
    )


def over_regularized(case: Case) -> Finding | None:
    """Penalties, weight decay or dropout that keep a network from fitting."""
    if case.diverged:
        return None
    cfg, weights = case.cfg, case.end.theta.data
    decay = float(cfg.optimizer.get("weight_decay") or 0.0)
    penalty = cfg.regularization.l1 * float(weights.abs().sum())
    penalty += (cfg.regularization.l2 + decay / 2) * float(weights.square().sum())
    part = penalty / max(float(str(case.metrics["train/loss"])), 1e-300)
    strong = (part > PENALTY_PART or decay > PENALTY_PART) and max(
        cfg.regularization.l1, cfg.regularization.l2, decay
    ) > 0
    if not strong and cfg.model.dropout < STRONG_DROPOUT:
        return None
    off = {"regularization.l1": 0.0, "regularization.l2": 0.0, "model.dropout": 0.0}
    changes = off | ({"optimizer.weight_decay": 0.0} if decay else {})
    return Finding(
        "over_regularized",
        "likely",
        {"penalty": penalty, "part_of_loss": part, "weight_decay": decay, "dropout": float(cfg.model.dropout)},
        f"What is to keep the network from overfitting keeps it from fitting: penalties of {part:.2g} times the loss, "
        f"dropout {cfg.model.dropout:g}, and an error of {max(case.errors('train')):.2g} of the spread on training rows.",
        prescribe(case, changes),
        "a network that can follow the training rows",
    )


def network_too_small(case: Case) -> Finding | None:
    """A network that has settled where a smooth function is far better."""
    if case.diverged or case.affine:
        return None
    train, smooth = max(case.errors("train")), float(case.attainable.smooth.nan_to_num(0.0).max())
    if smooth > SHAPE_ROOM * train:
        return None
    hidden, weights = list(case.cfg.model.hidden), case.start.theta.shape[1]
    wider = [max(64, 2 * width) for width in hidden] if len(hidden) > 1 else [max([64, *[2 * w for w in hidden]])] * 2
    length = case.attainable.length
    short = length < SHORT_LENGTH and train > 0.3
    changes: dict[str, object] = {"model.hidden": wider} if not short or weights < 1000 else {}
    if not case.cfg.model.bias:
        changes["model.bias"] = True
    if case.cfg.model.activation in ("sigmoid", "relu", "identity", "softplus"):
        changes["model.activation"] = "gelu"
    return Finding(
        "network_too_small",
        "likely" if (settled(case) and weights < 200) or weights < FEW_WEIGHTS or short else "possible",
        {"weights": weights, "nrmse_train": train, "nrmse_smooth": smooth, "length": length},
        f"{weights} weights leave {train:.2g} of the spread on the training rows themselves, and a smooth function "
        f"leaves {smooth:.2g} on rows that it did not see"
        + (
            f"; they bend within {length:g} deviations of the inputs, where {case.cfg.model.activation} starts out smooth."
            if short
            else "."
        ),
        prescribe(case, changes | bending(case), steps=4000),
        f"an error of about {smooth:.2g} of the spread",
    )


def equal_start(case: Case) -> Finding | None:
    """Start values that are the same for all units of a layer, which then stay the same."""
    if isinstance(case.cfg.model.init, str) or not case.cfg.model.hidden or max(case.cfg.model.hidden) == 1:
        return None
    return Finding(
        "bad_start",
        "certain",
        {"weight": float(case.cfg.model.init.weight), "bias": float(case.cfg.model.init.bias)},
        "All units of a layer start from the same weights, get the same gradient, and so remain one and the same unit.",
        prescribe(case),
        "units that differ",
    )


def bad_start(case: Case) -> Finding | None:
    """Start values from which this training does not get where it gets from others."""
    if case.affine or not settled(case) or case.progress.jitter > JITTER:
        return None
    found = trial(case)
    if found is None:
        return None
    return Finding(
        "bad_start",
        "certain" if found.better > 0.5 else "likely",
        {
            "seeds": found.seeds,
            "better": found.better,
            "epochs": found.epochs,
            "loss_best": found.loss,
            "loss_here": found.here,
        },
        f"Of {found.seeds} other start values, {found.better:.0%} have less than half of this run's loss after the same "
        f"{found.epochs} epochs.",
        [f"{key}={value}" for key, value in found.change.items()],
        f"a loss of about {found.loss:.2g} after {found.epochs} epochs",
    )
