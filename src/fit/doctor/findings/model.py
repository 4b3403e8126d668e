"""Causes in the network."""

import math
from dataclasses import replace

import torch

from fit.doctor.case import Case
from fit.doctor.cures.other_seeds import try_other_seeds
from fit.doctor.cures.prescription import high_frequency_start, needs_nonlinearity, prescribe
from fit.doctor.finding import Finding
from fit.doctor.findings.steps import settled
from fit.doctor.findings.units import dead_units, saturated_units
from fit.doctor.text import format_percent
from fit.doctor.thresholds import (
    BENDS_STEPS,
    FEW_WEIGHTS,
    FLOAT_TIMES,
    FLOAT_UNITS,
    FLOOR_PART,
    GOOD_NRMSE,
    JITTER,
    MANY_WEIGHTS,
    MISSES,
    PENALTY_PART,
    SHAPE_ROOM,
    SHORT_LENGTH,
    SOME_WEIGHTS,
    SOUND_GAINS,
    STRONG_DROPOUT,
    UNSCALED_TARGETS,
)
from fit.evaluation.floor import floor
from fit.messages import plural
from fit.model.functions import find_activation


def output_range(case: Case) -> Finding | None:
    """Find targets outside the range of the output activation."""
    targets = case.scaled.targets
    if case.mlp is None or find_activation(case.mlp.output_activation).affine or case.baseline_loss <= 0:
        return None
    activation = case.mlp.output_activation
    lowest = floor(replace(case.mlp, bias=True), case.cfg.loss, case.scaled)
    if lowest is None or lowest < FLOOR_PART * case.baseline_loss:
        return None
    reach, low, high = find_activation(activation), float(targets.min()), float(targets.max())
    if reach.bounded:
        words = f"from {reach.low:.3g} to {reach.high:.3g}"
    else:
        words = f"above {reach.low:.3g}" if math.isfinite(reach.low) else f"below {reach.high:.3g}"
    return Finding(
        "output_range",
        "certain",
        {"floor": lowest, "low": low, "high": high, "reach_low": reach.low, "reach_high": reach.high},
        f"{activation} at the output gives only values {words}, but the targets range from {low:.3g} to {high:.3g}: "
        f"the loss cannot fall below {lowest:.6g}, whatever the weights.",
        prescribe(case),
        f"a loss that can fall below {lowest:.3g}",
    )


def affine_model(case: Case) -> Finding | None:
    """Find an affine model of targets that are not affine."""
    if not needs_nonlinearity(case):
        return None
    known = case.attainable
    target = int((known.affine * (known.smooth < SHAPE_ROOM * known.affine)).nan_to_num(0.0).argmax())
    name = case.problem.dataset.target_names[target]
    affine, smooth = float(known.affine[target]), float(known.smooth[target])
    bent = "an activation between its layers" if case.cfg.model.hidden else "a hidden layer"
    return Finding(
        "affine_model",
        "certain" if smooth < SHAPE_ROOM**2 * affine else "likely",
        {"target": name, "nrmse_affine": affine, "nrmse_smooth": smooth},
        f"Without {bent}, the network is an affine function. The best one has an error of {format_percent(affine)} of "
        f"the standard deviation of {name}; a smooth function, {format_percent(smooth)}.",
        prescribe(case),
        f"an error of about {format_percent(smooth)} of the standard deviation",
    )


def float_floor(case: Case) -> Finding | None:
    """Find errors as small as single precision allows."""
    if case.cfg.trainer.precision != "32-true" or case.diverged:
        return None
    # The rounding error of single precision, over the standard deviation of the column.
    parts = []
    for values in case.scaled:
        varying = values.amin(0) < values.amax(0)
        parts.append(2.0**-24 * float((values.abs().amax(0) / values.std(0))[varying].max()) if varying.any() else 0.0)
    limit = FLOAT_UNITS * max(parts)
    if limit < 0.1 * GOOD_NRMSE or case.worst_error > FLOAT_TIMES * limit:
        return None
    return Finding(
        "float_floor",
        "likely",
        {"rounding_inputs": parts[0], "rounding_targets": parts[1], "nrmse": case.worst_error},
        f"Rounding to single precision alone changes the data by {format_percent(max(parts))} of their standard "
        "deviation.",
        prescribe(case, {"trainer.precision": "64-true"}),
        "sixteen digits instead of seven",
    )


def over_regularized(case: Case) -> Finding | None:
    """Find penalties, weight decay or dropout that keep the network from fitting."""
    if case.diverged:
        return None
    # At the start: weights that a penalty has removed no longer cost anything.
    cfg, weights = case.cfg, case.network.start.theta.data
    l1, l2, decay = cfg.regularization.l1, cfg.regularization.l2, float(cfg.optimizer.get("weight_decay") or 0.0)
    part = (l1 * float(weights.abs().sum()) + l2 * float(weights.square().sum())) / max(case.baseline_loss, 1e-300)
    causes = [f"penalties of {part:.2g} times the loss of always predicting the mean"] * (part > PENALTY_PART)
    causes += [f"a weight decay of {decay:g}"] * (decay > PENALTY_PART)
    dropout = float(cfg.model.get("dropout", 0.0))
    causes += [f"a dropout of {dropout:g}"] * (dropout >= STRONG_DROPOUT)
    if not causes:
        return None
    off: dict[str, object] = {"regularization.l1": 0.0, "regularization.l2": 0.0, "model.dropout": 0.0}
    return Finding(
        "over_regularized",
        "likely",
        {"penalty_at_start": part, "weight_decay": decay, "dropout": dropout},
        f"What should keep the network from overfitting keeps it from fitting: {' and '.join(causes)}; the error is "
        f"{format_percent(case.train_error)} of the standard deviation on the training rows themselves.",
        prescribe(case, off | ({"optimizer.weight_decay": 0.0} if decay else {})),
        "a network that can follow the training rows",
    )


def network_too_small(case: Case) -> Finding | None:
    """Find a network that has converged to a far larger error than that of a smooth function."""
    smooth, length = float(case.attainable.smooth.nan_to_num(0.0).max()), case.attainable.length
    if case.mlp is None or case.diverged or case.affine or smooth > SHAPE_ROOM * case.train_error:
        return None
    hidden, weights, model = list(case.mlp.hidden), case.network.parameters, case.mlp
    short = length < SHORT_LENGTH and case.train_error > MISSES
    small = weights < FEW_WEIGHTS or (weights < SOME_WEIGHTS and settled(case))
    if not (small or short or settled(case)):
        return None
    changes = high_frequency_start(case)
    if not short or weights < MANY_WEIGHTS:
        changes["model.hidden"] = [max(64, 2 * width) for width in (hidden if len(hidden) > 1 else hidden * 2)]
    if "model.activation" not in changes and find_activation(model.activation).slow:
        changes["model.activation"] = "gelu"
    if not model.bias:
        changes["model.bias"] = True
    detail = (
        f"; the targets vary over {length:g} of the inputs' standard deviation, too short for {model.activation}"
        * short
    )
    return Finding(
        "network_too_small",
        "likely" if small or short else "possible",
        {"weights": weights, "nrmse_train": case.train_error, "nrmse_smooth": smooth, "length": length},
        f"With {plural(weights, 'weight')} the error is {format_percent(case.train_error)} of the standard deviation "
        f"even on the training rows; a smooth function has {format_percent(smooth)} on left-out rows{detail}.",
        prescribe(case, changes, steps=BENDS_STEPS),
        f"an error of about {format_percent(smooth)} of the standard deviation",
    )


def equal_start(case: Case) -> Finding | None:
    """Find start values that are the same for all units of a layer, which then stay the same."""
    if case.mlp is None:
        return None
    init = case.cfg.model.init
    if isinstance(init, str) or max(case.mlp.hidden, default=1) == 1:
        return None
    return Finding(
        "bad_start",
        "certain",
        {"weight": float(init["weight"]), "bias": float(init["bias"])},
        "All units of a layer start with the same weights, get the same gradients, and so stay identical.",
        prescribe(case),
        "units that differ",
    )


def wild_start(case: Case) -> Finding | None:
    """Find start values so large that units are silent, or answers so large that training has to undo them first."""
    if case.mlp is None or find_activation(case.mlp.activation).periodic:
        return None
    gain, network = case.cfg.model.gain, case.network
    if gain <= SOUND_GAINS[1]:
        return None
    silent = saturated_units(case) or dead_units(case)
    if silent is not None:
        return silent
    with torch.no_grad():
        outputs = network.start(network.rows.inputs.unsqueeze(0))
    times = float(outputs.square().mean().sqrt() / network.rows.targets.square().mean().sqrt().clamp(min=1e-300))
    if times < UNSCALED_TARGETS:
        return None
    return Finding(
        "bad_start",
        "certain",
        {"gain": float(gain), "times": times},
        f"With model.gain = {gain:g} the untrained network's outputs are {times:.2g} times as large as the targets; "
        "training has to undo that first.",
        prescribe(case),
        "initial outputs as large as the targets",
    )


def bad_start(case: Case) -> Finding | None:
    """Find start values from which training gets stuck where it does not from others."""
    if case.affine or not settled(case) or case.loss_curve.jitter > JITTER:
        return None
    found = try_other_seeds(case)
    if found is None:
        return None
    return Finding(
        "bad_start",
        "certain" if found.better > 0.5 and 2 * found.epochs > case.loss_curve.epochs else "likely",
        {"seeds": found.seeds, "better": found.better, "epochs": found.epochs, "loss": found.loss, "here": found.here},
        f"Of {plural(found.seeds, 'other seed')}, {found.better:.0%} have less than half of this run's loss after "
        f"{plural(found.epochs, 'epoch')}.",
        [f"seed={found.seed}"],
        f"a loss of about {found.loss:.2g} after {plural(found.epochs, 'epoch')}",
    )
