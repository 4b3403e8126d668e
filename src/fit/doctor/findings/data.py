"""Causes in the data and their scaling."""

import torch
from torch import Tensor

from fit.data.scalers import Scaler
from fit.doctor.case import Case
from fit.doctor.cures.prescription import inputs_are_unscaled, prescribe, target_misscaling
from fit.doctor.finding import Finding
from fit.doctor.measurements.attainable import sample_rows
from fit.doctor.measurements.network import MOST_MEASURED_ROWS
from fit.doctor.text import format_percent
from fit.doctor.thresholds import (
    BESIDE_JUMP,
    CERTAIN_FACTOR,
    CONSTANT_SPREAD,
    DOMINANCE,
    DOMINATED,
    ENOUGH_ROWS,
    FEW_ROWS,
    JUMP,
    JUMP_PART,
    JUMPS,
    MORE_POINTS,
    NEIGHBOURS,
    NO_SLOPE,
    NOISE_ROOM,
    NOTHING_NRMSE,
    UNSCALED_TARGETS,
)


def constant(case: Case) -> Finding | None:
    """Find targets that are all constant."""
    targets = case.problem.train.targets
    return target_constant(case) if bool((targets.amin(0) == targets.amax(0)).all()) else None


def target_constant(case: Case) -> Finding | None:
    """Find unscaled targets that hardly vary."""
    dataset, targets = case.problem.dataset, case.problem.train.targets
    spread = targets.std(0, correction=0).masked_fill(targets.amin(0) == targets.amax(0), 0.0)
    relative = torch.where(spread > 0, spread / targets.abs().mean(0), 0.0)
    target = int(relative.argmin())
    part, mean, size = (float(each[target]) for each in (relative, targets.mean(0), spread))
    scaled = dataset.scale_targets in ("standardize", "minmax") and bool((spread > 0).any())
    if part >= CONSTANT_SPREAD or scaled:
        return None
    changes = {"data.scale_targets": "standardize"} | dict(dataset.covering)
    name, some = dataset.target_names[target], bool((spread > 0).any())
    return Finding(
        "target_constant",
        "certain",
        {"target": name, "mean": mean, "spread": size},
        f"{name} is {mean:.6g}{f' ± {size:.2g}' if size > 0 else ''} on all training rows: practically constant to the "
        "network, so that R² means little.",
        prescribe(case, changes) if some else (),
        "errors measured against the targets' variation, not their size"
        if some
        else "give rows on which the target varies",
    )


def nothing_to_learn(case: Case) -> Finding | None:
    """Find targets that do not depend on the inputs."""
    known = case.attainable
    if case.noise is not None and float(case.noise.min()) < NOTHING_NRMSE:  # the function is known
        return None
    left = known.smooth[~known.smooth.isnan()]
    if len(left) == 0 or float(left.min()) < NOTHING_NRMSE or known.rows < FEW_ROWS:
        return None
    return Finding(
        "nothing_to_learn",
        "certain" if known.rows >= ENOUGH_ROWS else "likely",
        {"nrmse_smooth": float(left.min()), "nrmse_affine": float(known.affine.nan_to_num(torch.inf).min())},
        "The targets look like noise: left-out rows cannot be predicted from the others. The best affine or smooth "
        f"function has an error of {float(left.min()):.0%} of the standard deviation; the mean, of 100%.",
        (),
        "give inputs that the targets depend on, or more rows",
    )


def undersampled(case: Case) -> Finding | None:
    """Find points too far apart to show a known function."""
    known, data = case.attainable, case.cfg.data
    if case.noise is None or not bool((known.smooth >= NOTHING_NRMSE).all()):
        return None
    points = MORE_POINTS * int(data.points)
    return Finding(
        "nothing_to_learn",
        "likely",
        {"nrmse_smooth": float(known.smooth.min()), "points": int(data.points)},
        f"The {data.points} points are too far apart to show what the function does between them: none can be "
        "predicted from the others.",
        prescribe(case, {"data.points": points, "data.batch_size": 64}, steps=0),
        "points close enough to tell the function from noise",
    )


def inputs_unscaled(case: Case) -> Finding | None:
    """Find inputs so badly scaled that no learning rate suits all directions."""
    if not inputs_are_unscaled(case):
        return None
    before, after = case.network.condition_number, case.network.standardized_condition_number
    return Finding(
        "inputs_unscaled",
        "certain" if before > 1e3 * after else "likely",
        {"condition": before, "condition_standardized": after},
        f"With these inputs the loss is {before:.3g} times as steep in one direction as in another (the condition "
        f"number of their second moments); with standardized inputs, {after:.2g} times.",
        prescribe(case, {"data.scale_inputs": "standardize"}),
        f"a condition number of {after:.2g}, so that one learning rate suits all weights",
    )


def targets_unscaled(case: Case) -> Finding | None:
    """Find targets far from mean 0 and standard deviation 1."""
    off = target_misscaling(case)
    if off <= UNSCALED_TARGETS or case.cfg.data.scale_targets == "standardize":
        return None
    low, high = float(case.inlier_targets.min()), float(case.inlier_targets.max())
    return Finding(
        "targets_unscaled",
        "certain" if off > UNSCALED_TARGETS**2 else "likely",
        {"low": low, "high": high, "factor": off},
        f"The network is trained on targets of {(low + high) / 2:.3g} ± {(high - low) / 2:.2g}, off by a factor of "
        f"{off:.2g} from the mean 0 and standard deviation 1 that start values are made for.",
        prescribe(case, {"data.scale_targets": "standardize"}),
        "targets with mean 0 and standard deviation 1, which start values are made for",
    )


def one_target_dominates(case: Case) -> Finding | None:
    """Find a target whose errors are so large that the loss ignores the others."""
    spread = case.scaled.targets.var(0, correction=0)
    large, small = int(spread.argmax()), int(torch.where(spread > 0, spread, torch.inf).argmin())
    weight = float(spread[large] / spread[small])
    if len(spread) < 2 or weight < DOMINANCE or case.diverged:
        return None
    errors, names = case.errors("train"), case.problem.dataset.target_names
    if errors[small] < DOMINATED * errors[large]:
        return None
    return Finding(
        "one_target_dominates",
        "certain",
        {"large": names[large], "small": names[small], "ratio": weight, "nrmse_small": errors[small]},
        f"{names[large]} weighs {weight:.3g} times as much in the loss as {names[small]}, which is left with an error "
        f"of {format_percent(errors[small])} of its standard deviation.",
        prescribe(case, {"data.scale_targets": "standardize"}),
        "targets of equal weight",
    )


def unexplained(case: Case) -> Finding:
    """Report a bad fit that no known cause explains."""
    smooth = float(case.attainable.smooth.nan_to_num(0.0).max())
    alike = all(case.generalization_gap(target) < CERTAIN_FACTOR for target in range(len(case.errors("val"))))
    better = smooth * NOISE_ROOM < (min(case.worst_error, case.train_error) if alike else case.worst_error)
    outlook = "a better fit is possible" if better else "no better fit is known"
    return Finding(
        "unexplained",
        "possible",
        {"nrmse": case.worst_error, "nrmse_train": case.train_error, "nrmse_smooth": smooth},
        f"The error is {format_percent(case.worst_error)} of the standard deviation, "
        f"{format_percent(case.train_error)} on the training rows, and the doctor does not know why. A smooth "
        f"function of the inputs has an error of {format_percent(smooth)} on left-out rows: {outlook}.",
        (),
        "try other layers and settings" if better else "more informative inputs, or more rows",
    )


def jump(case: Case) -> Finding | None:
    """Find a target that jumps, where most of the squared error is beside the jump."""
    if case.diverged:
        return None
    rows = sample_rows(case.problem.train, MOST_MEASURED_ROWS)
    inputs, targets = (Scaler.fit("standardize", each).transform(each) for each in rows)
    distances = torch.cdist(inputs, inputs).fill_diagonal_(torch.inf)
    nearest = distances.topk(min(NEIGHBOURS, len(inputs) - 1), largest=False).indices
    near = distances.median(1).values.median() * BESIDE_JUMP
    for target, name in enumerate(case.problem.dataset.target_names):
        steps = (targets[:, target, None] - targets[nearest, target]).abs().amax(1)
        usual = float(steps.quantile(1 - JUMPS))
        least = max(JUMP, NO_SLOPE * usual)
        beside = steps > least
        count, sloping = int(beside.sum()), int((steps[~beside] > least / 3).sum())
        if not 0 < count <= JUMPS * len(steps) or sloping > count:
            continue
        errors = case.errors_on(rows)[:, target].square()
        close = distances[:, beside].amin(1) < near
        part = float(errors[close | beside].sum() / errors.sum().clamp(min=1e-300))
        if part < JUMP_PART:
            continue
        size = float(steps[beside].median())
        height = size * float(rows.targets[:, target].std())
        return Finding(
            "jump",
            "certain" if part > 1 - JUMP_PART / 2 else "likely",
            {"target": name, "height": height, "rows": count, "part": part},
            f"{name} jumps by about {height:.3g}{describe_location(case, rows.inputs[beside])}, "
            f"{size / max(usual, 1e-3):.2g} times the difference between neighbours elsewhere, and {part:.0%} of the "
            "squared error is beside the jump: a network is smooth, so it turns a jump into a slope.",
            (),
            "fit the two sides of the jump separately, or judge the fit by its errors away from the jump",
        )
    return None


def describe_location(case: Case, inputs: Tensor) -> str:
    """Return near which value of which input the rows `[rows, inputs]` lie; empty if they share none."""
    train = case.problem.train.inputs
    width = (inputs.amax(0) - inputs.amin(0)) / (train.amax(0) - train.amin(0))
    column = int(width.nan_to_num(torch.inf).argmin())
    if float(width[column]) > JUMPS:
        return ""
    return f" near {case.problem.dataset.input_names[column]} = {float(inputs[:, column].median()):.4g}"
