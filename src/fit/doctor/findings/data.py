"""Causes that lie in the data, or in how they are presented."""

import torch
from torch import Tensor

from fit.data.dataset import Rows
from fit.doctor.attainable import sample
from fit.doctor.case import MOST_ROWS, Case
from fit.doctor.finding import Finding
from fit.doctor.prescription import is_unscaled, prescribe, targets_off
from fit.doctor.thresholds import (
    CONSTANT_SPREAD,
    DOMINANCE,
    DOMINATED,
    FAR,
    FAR_PART,
    FIT_STEPS,
    FITS_NRMSE,
    FITS_TIMES,
    NOTHING_NRMSE,
    OUTLIER_COMPANY,
    OUTLIER_DEVIATIONS,
    OUTLIER_PART,
    OUTLIER_ROWS,
    UNSCALED_TARGETS,
)


def constant(case: Case) -> Finding | None:
    """Targets that do not vary at all."""
    targets = case.problem.train.targets
    if not bool((targets.amin(0) == targets.amax(0)).all()):
        return None
    return target_constant(case)


def target_constant(case: Case) -> Finding | None:
    """Targets that hardly vary, and are not scaled to: R² then compares with next to nothing."""
    targets = case.problem.train.targets
    size, spread = targets.abs().mean(0), targets.std(0, correction=0)
    relative = torch.where(size > 0, spread / size, 1.0).masked_fill(spread == 0, 0.0)
    part, target = float(relative.min()), int(relative.argmin())
    if part >= CONSTANT_SPREAD or (part > 0 and case.cfg.data.scale_targets in ("standardize", "minmax")):
        return None
    name = case.problem.dataset.target_names[target]
    cure = prescribe(case, {"data.scale_targets": "standardize"} | covering(case)) if part > 0 else []
    return Finding(
        "target_constant",
        "certain",
        {"target": name, "mean": float(targets.mean(0)[target]), "spread": float(spread[target])},
        f"{name} is {float(targets.mean(0)[target]):.6g} on all training rows, give or take {float(spread[target]):.2g}: "
        "there is next to nothing to learn, and R² says nothing.",
        cure,
        "errors of the spread, not of the size, of the targets" if cure else "give rows on which the target varies",
    )


def covering(case: Case) -> dict[str, object]:
    """Return what trains on rows that cover all regions judged on, where the data set knows of it."""
    return dict(case.problem.dataset.covering)


def inputs_unscaled(case: Case) -> Finding | None:
    """Inputs of such sizes that a step which is right for one direction is wrong for another."""
    if not is_unscaled(case):
        return None
    before, after = case.condition, case.standardized_condition
    return Finding(
        "inputs_unscaled",
        "certain" if before > 1e3 * after else "likely",
        {"condition": before, "condition_standardized": after},
        f"As the network sees them, the inputs make the loss {before:.3g} times as steep in one direction as in another "
        f"(the condition number of their second moments); after standardizing it is {after:.2g}.",
        prescribe(case, {"data.scale_inputs": "standardize"}),
        f"a condition number of {after:.2g}, and one learning rate that suits all weights",
    )


def targets_unscaled(case: Case) -> Finding | None:
    """Targets far from the numbers that start values answer."""
    off = targets_off(case)
    if off <= UNSCALED_TARGETS or case.cfg.data.scale_targets == "standardize":
        return None
    targets = case.scaled.targets
    low, high = float(targets.min()), float(targets.max())
    return Finding(
        "targets_unscaled",
        "certain" if off > UNSCALED_TARGETS**2 else "likely",
        {"low": low, "high": high, "factor": off},
        f"As the network sees them, the targets go from {low:.3g} to {high:.3g}, {off:.2g} times away from the numbers "
        "of about one that it starts with.",
        prescribe(case, {"data.scale_targets": "standardize"}),
        "targets of mean 0 and spread 1, which start values are made for",
    )


def one_target_dominates(case: Case) -> Finding | None:
    """One target's errors are so large that the others are not heard in the loss."""
    spread = case.scaled.targets.var(0, correction=0)
    heard = spread[spread > 0]
    if len(heard) < 2 or float(heard.max() / heard.min()) < DOMINANCE or case.diverged:
        return None
    errors = case.errors("train")
    names = case.problem.dataset.target_names
    large, small = int(spread.argmax()), int(torch.where(spread > 0, spread, torch.inf).argmin())
    if errors[small] < DOMINATED * errors[large]:
        return None
    ratio = float(spread[large] / spread[small])
    return Finding(
        "one_target_dominates",
        "certain",
        {"large": names[large], "small": names[small], "ratio": ratio, "nrmse_small": errors[small]},
        f"{names[large]} weighs {ratio:.3g} times as much in the loss as {names[small]}, whose error is "
        f"{errors[small]:.2g} of its spread.",
        prescribe(case, {"data.scale_targets": "standardize"}),
        "all targets weigh the same",
    )


def nothing_to_learn(case: Case) -> Finding | None:
    """Targets that the inputs say nothing about."""
    known = case.attainable
    left = known.smooth[~known.smooth.isnan()]
    if len(left) == 0 or float(left.min()) < NOTHING_NRMSE or known.rows < 20 or outliers(case) is not None:
        return None
    return Finding(
        "nothing_to_learn",
        "certain" if known.rows >= 100 else "likely",
        {"nrmse_smooth": float(left.min()), "nrmse_affine": float(known.affine.nan_to_num(torch.inf).min())},
        f"Rows that were left out cannot be predicted from the others: neither an affine nor a smooth function leaves "
        f"less than {float(left.min()):.0%} of the spread, so the targets look like noise.",
        (),
        "give inputs that the targets depend on, or more rows",
    )


def outliers(case: Case) -> Finding | None:
    """A few rows so far off that they hold most of the squared error."""
    if case.cfg.loss not in ("mse", "mse_sum"):
        return None
    rows = sample(case.problem.train, MOST_ROWS)
    targets = rows.targets
    errors = case.residuals if not case.diverged else targets - targets.median(0).values
    for target, column in enumerate(errors.unbind(1)):
        middle = column.median()
        deviation = 1.4826 * (column - middle).abs().median()
        far = (column - middle).abs() > OUTLIER_DEVIATIONS * deviation
        part = float(column[far].square().sum() / column.square().sum().clamp(min=1e-300))
        count = int(far.sum())
        if count and neighbours_too(rows, far) > OUTLIER_COMPANY:
            continue
        if 0 < count <= OUTLIER_ROWS * len(column) and part > OUTLIER_PART and float(deviation) > 0:
            name = case.problem.dataset.target_names[target]
            return Finding(
                "outliers",
                "likely",
                {"target": name, "rows": count, "of": len(column), "part_of_squared_error": part},
                f"{count} of {len(column)} rows hold {part:.0%} of the squared error of {name}: squaring makes them "
                "count for far more than all others.",
                prescribe(case, {"loss": "mae"}),
                "the median instead of the mean, which a few rows cannot move",
            )
    return None


def neighbours_too(rows: Rows, far: Tensor) -> float:
    """Return the part of the rows far off whose nearest row is far off, too: those of a misfit, not of a mistake."""
    varying = rows.inputs.amin(0) < rows.inputs.amax(0)
    inputs = rows.inputs[:, varying] / rows.inputs.std(0)[varying]
    distances = torch.cdist(inputs[far], inputs)
    distances[distances == 0] = torch.inf
    return float(far[distances.argmin(1)].double().mean())


def fits_training(case: Case, region: str) -> bool:
    """Whether the training rows are answered well, or far better than those of a region."""
    train, other = max(case.errors("train")), max(case.errors(region))
    return train <= FITS_NRMSE or train * FITS_TIMES <= other


def uncovered(case: Case, region: str) -> float:
    """Return the part of a region's rows that lie far from all training rows, beside how far those lie apart."""
    train = sample(case.problem.train, 1024).inputs
    varying = train.amin(0) < train.amax(0)
    spread = train.std(0)[varying]
    near, others = (rows[:, varying] / spread for rows in (train, sample(case.problem.fresh[region], 1024).inputs))
    apart = torch.cdist(near, near).fill_diagonal_(torch.inf).amin(1)
    usual = float(apart.quantile(0.9))
    return float((torch.cdist(others, near).amin(1) > FAR * usual).double().mean())


def does_not_generalize(case: Case) -> Finding | None:
    """Rows judged on that lie where there is nothing trained on."""
    if case.diverged:
        return None
    for region in case.regions:
        if not fits_training(case, region) or max(case.errors(region)) < FITS_TIMES * max(case.errors("train")):
            continue
        part = uncovered(case, region)
        if part < FAR_PART:
            continue
        train, other = max(case.errors("train")), max(case.errors(region))
        cure = prescribe(case, covering(case)) if covering(case) else []
        return Finding(
            "does_not_generalize",
            "certain",
            {"region": region, "nrmse_train": train, "nrmse_region": other, "part_uncovered": part},
            f"{part:.0%} of the rows of {region} lie far from all training rows, and the error there is {other:.2g} of "
            f"the spread, on the training rows {train:.2g}: a network is not to be asked outside of what it was shown.",
            cure,
            "training rows that cover the region" if cure else f"give training rows that cover {region}",
        )
    return None


def overfit(case: Case) -> Finding | None:
    """Training rows learned by heart, noise included."""
    if case.diverged:
        return None
    train, val = max(case.errors("train")), max(case.errors("val"))
    if not train * 1.5 <= val or uncovered(case, "val") >= FAR_PART:
        return None
    rows, weights = len(case.problem.train.inputs), case.start.theta.shape[1]
    best, last = (float(str(case.metrics[key])) for key in ("best/val/loss", "val/loss"))
    if last < 1.1 * best and weights < rows:
        return None
    changes: dict[str, object] = {}
    if "points" in case.cfg.data:
        points = max(16 * int(case.cfg.data.points), 512)
        changes |= {"data.points": points, "data.batch_size": 64, "trainer.max_epochs": -(-FIT_STEPS * 64 // points)}
    else:
        changes["early_stopping.patience"] = max(10, case.cfg.trainer.max_epochs // 10)
        changes["regularization.l2"] = 1e-3
    return Finding(
        "overfit",
        "certain" if last > 1.5 * best else "likely",
        {
            "nrmse_train": train,
            "nrmse_val": val,
            "best_epoch": str(case.metrics["best/epoch"]),
            "rise": last / best,
            "rows": rows,
            "weights": weights,
        },
        f"The error is {train:.2g} of the spread on training rows and {val:.2g} on others; val/loss was lowest at epoch "
        f"{case.metrics['best/epoch']} and has grown {last / best:.2g} times since: {weights} weights have learned "
        f"{rows} rows by heart.",
        prescribe(case, changes, steps=0),
        "rows enough to tell the function from the noise" if "points" in case.cfg.data else "less of the noise learned",
    )
