"""Causes that lie in the data, or in how they are presented."""

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
    """Find targets that do not vary at all."""
    targets = case.problem.train.targets
    return target_constant(case) if bool((targets.amin(0) == targets.amax(0)).all()) else None


def target_constant(case: Case) -> Finding | None:
    """Find targets that hardly vary, and are not scaled to: R² then compares with next to nothing."""
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
        f"{name} is {mean:.6g} on all training rows{f', give or take {size:.2g}' if size > 0 else ''}: as good as "
        "constant to the network, and R² compares with next to nothing.",
        prescribe(case, changes) if some else (),
        "errors of the spread, not of the size, of the targets" if some else "give rows on which the target varies",
    )


def nothing_to_learn(case: Case) -> Finding | None:
    """Find targets that the inputs say nothing about."""
    known = case.attainable
    if case.noise is not None and float(case.noise.min()) < NOTHING_NRMSE:  # a function that is known is there
        return None
    left = known.smooth[~known.smooth.isnan()]
    if len(left) == 0 or float(left.min()) < NOTHING_NRMSE or known.rows < FEW_ROWS:
        return None
    return Finding(
        "nothing_to_learn",
        "certain" if known.rows >= ENOUGH_ROWS else "likely",
        {"nrmse_smooth": float(left.min()), "nrmse_affine": float(known.affine.nan_to_num(torch.inf).min())},
        "Rows that are left out cannot be predicted from the others: the best affine or smooth function misses them by "
        f"{float(left.min()):.0%} of their standard deviation, always answering the mean by 100%: it looks like noise.",
        (),
        "give inputs that the targets depend on, or more rows",
    )


def undersampled(case: Case) -> Finding | None:
    """Find points of a known function that lie too far apart to show it."""
    known, data = case.attainable, case.cfg.data
    if case.noise is None or not bool((known.smooth >= NOTHING_NRMSE).all()):
        return None
    points = MORE_POINTS * int(data.points)
    return Finding(
        "nothing_to_learn",
        "likely",
        {"nrmse_smooth": float(known.smooth.min()), "points": int(data.points)},
        f"The {data.points} points lie too far apart to show what the function does between them: none can be "
        "predicted from the others.",
        prescribe(case, {"data.points": points, "data.batch_size": 64}, steps=0),
        "points close enough to tell the function from noise",
    )


def inputs_unscaled(case: Case) -> Finding | None:
    """Find inputs of such sizes that a step which is right for one direction is wrong for another."""
    if not inputs_are_unscaled(case):
        return None
    before, after = case.network.condition_number, case.network.standardized_condition_number
    return Finding(
        "inputs_unscaled",
        "certain" if before > 1e3 * after else "likely",
        {"condition": before, "condition_standardized": after},
        f"As the network sees them, the inputs make the loss {before:.3g} times as steep in one direction as in "
        f"another (the condition number of their second moments); after standardizing it is {after:.2g}.",
        prescribe(case, {"data.scale_inputs": "standardize"}),
        f"a condition number of {after:.2g}, and one learning rate that suits all weights",
    )


def targets_unscaled(case: Case) -> Finding | None:
    """Find targets far from the numbers that start values answer."""
    off = target_misscaling(case)
    if off <= UNSCALED_TARGETS or case.cfg.data.scale_targets == "standardize":
        return None
    low, high = float(case.inlier_targets.min()), float(case.inlier_targets.max())
    return Finding(
        "targets_unscaled",
        "certain" if off > UNSCALED_TARGETS**2 else "likely",
        {"low": low, "high": high, "factor": off},
        f"As the network sees them, the targets are {(low + high) / 2:.3g}, give or take {(high - low) / 2:.2g}: "
        f"{off:.2g} times off the mean 0 and spread 1 that start values are made for.",
        prescribe(case, {"data.scale_targets": "standardize"}),
        "targets of mean 0 and spread 1, which start values are made for",
    )


def one_target_dominates(case: Case) -> Finding | None:
    """Find a target whose errors are so large that the others are not heard in the loss."""
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
        f"{names[large]} weighs {weight:.3g} times as much in the loss as {names[small]}, whose error is "
        f"{format_percent(errors[small])} of its standard deviation.",
        prescribe(case, {"data.scale_targets": "standardize"}),
        "all targets weigh the same",
    )


def unexplained(case: Case) -> Finding:
    """Say that a fit is not good although nothing that the doctor looks for explains it."""
    smooth = float(case.attainable.smooth.nan_to_num(0.0).max())
    alike = all(case.generalization_gap(target) < CERTAIN_FACTOR for target in range(len(case.errors("val"))))
    better = smooth * NOISE_ROOM < (min(case.worst_error, case.train_error) if alike else case.worst_error)
    hope = "something better is possible" if better else "nothing better was found"
    return Finding(
        "unexplained",
        "possible",
        {"nrmse": case.worst_error, "nrmse_train": case.train_error, "nrmse_smooth": smooth},
        f"The error is {format_percent(case.worst_error)} of the standard deviation, {format_percent(case.train_error)} on the training "
        f"rows, and the doctor does not know why; a smooth function of the inputs leaves {format_percent(smooth)} on rows "
        f"that it did not see: {hope}.",
        (),
        "try other layers and settings" if better else "inputs that tell more, or more rows",
    )


def jump(case: Case) -> Finding | None:
    """Find targets that jump, where the rows beside the jump hold most of the squared error."""
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
            f"{name} jumps by about {height:.3g}{describe_location(case, rows.inputs[beside])}, {size / max(usual, 1e-3):.2g} "
            f"times what neighbours differ by elsewhere, and the rows beside the jump hold {part:.0%} of the squared "
            "error: a network is a smooth function, and crosses a jump on a slope.",
            (),
            "fit the two sides of the jump apart, or judge the fit by its errors away from the jump",
        )
    return None


def describe_location(case: Case, inputs: Tensor) -> str:
    """Say near which value of which input some rows `[rows, inputs]` lie, if it is one."""
    train = case.problem.train.inputs
    width = (inputs.amax(0) - inputs.amin(0)) / (train.amax(0) - train.amin(0))
    column = int(width.nan_to_num(torch.inf).argmin())
    if float(width[column]) > JUMPS:
        return ""
    return f" near {case.problem.dataset.input_names[column]} = {float(inputs[:, column].median()):.4g}"
