"""Causes that lie in the data, or in how they are presented."""

import torch

from fit.doctor.case import Case
from fit.doctor.finding import Finding
from fit.doctor.prescription import is_unscaled, prescribe, targets_off
from fit.doctor.text import percent
from fit.doctor.thresholds import (
    CONSTANT_SPREAD,
    DOMINANCE,
    DOMINATED,
    ENOUGH_ROWS,
    FEW_ROWS,
    MORE_POINTS,
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
    known, dataset = case.attainable, case.problem.dataset
    if hasattr(dataset, "noise") and float(case.noise.min()) < NOTHING_NRMSE:  # a function that is known is there
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
    if not hasattr(case.problem.dataset, "noise") or not bool((known.smooth >= NOTHING_NRMSE).all()):
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
    if not is_unscaled(case):
        return None
    before, after = case.condition, case.standardized_condition
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
    off = targets_off(case)
    if off <= UNSCALED_TARGETS or case.cfg.data.scale_targets == "standardize":
        return None
    low, high = float(case.usual_targets.min()), float(case.usual_targets.max())
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
        f"{percent(errors[small])} of its standard deviation.",
        prescribe(case, {"data.scale_targets": "standardize"}),
        "all targets weigh the same",
    )
