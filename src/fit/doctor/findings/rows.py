"""Causes in the choice of rows: too few, in the wrong place, or faulty."""

from collections.abc import Iterator

import torch
from torch import Tensor

from fit.data.dataset import Rows
from fit.doctor.case import Case
from fit.doctor.cures.prescription import prescribe
from fit.doctor.finding import Finding
from fit.doctor.measurements.attainable import sample_rows
from fit.doctor.measurements.network import MOST_MEASURED_ROWS
from fit.doctor.measurements.outliers import far_off, outliers_by_targets, robust_deviation
from fit.doctor.text import format_percent
from fit.doctor.thresholds import (
    CERTAIN_FACTOR,
    FAR_DISTANCE,
    FAR_PART,
    FEW_ROWS,
    FEW_STEPS,
    FIT_STEPS,
    FITS_NRMSE,
    FITS_TIMES,
    GOOD_NRMSE,
    MEMORIZED_NRMSE,
    MISSES,
    MORE_POINTS,
    NEIGHBOUR_FRACTION,
    NOISE_ROOM,
    OFF_TARGETS,
    OUTLIER_PART,
    OUTLIER_ROWS,
    OVERFITS,
    SQUEEZED_RATIO,
    UNSCALED_TARGETS,
    VAL_LOSS_DOUBLED,
)
from fit.messages import plural


def outliers(case: Case) -> Finding | None:
    """Find a few rows so far off that they dominate the squared error, or squeeze all others together by scaling."""
    train = case.problem.train
    if not case.measured:
        return None
    if len(train.inputs) < FEW_ROWS:
        return squeezed(case)
    outliers = case.attainable.outliers
    if outliers.any() and not outliers_by_targets(train).any():
        return far_inputs(case, int(outliers.sum()))
    if not case.network.loss.kind.squared:
        return None
    rows = sample_rows(train, MOST_MEASURED_ROWS)
    for target, errors, far in outlier_candidates(case, rows):
        middle = errors - errors.median()
        part = float(middle[far].square().sum() / middle.square().sum().clamp(min=1e-300))
        count = int(far.sum())
        if (
            not 0 < count <= OUTLIER_ROWS * len(far)
            or part < OUTLIER_PART
            or neighbour_fraction(rows, far) > NEIGHBOUR_FRACTION
        ):
            continue
        name = case.problem.dataset.target_names[target]
        return Finding(
            "outliers",
            "certain" if part > 1 - (1 - OUTLIER_PART) / 2 else "likely",
            {"target": name, "rows": count, "of": len(far), "part": part},
            f"{count} of {plural(len(far), 'row')}{'' if len(far) == len(train.inputs) else ' that were looked at'} "
            f"{'makes' if count == 1 else 'make'} up {part:.0%} of the squared error "
            f"of {name}: squaring gives large errors far more weight than all others.",
            prescribe(case, {"loss": "mae", "data.scale_targets": robust_scaling(train.targets)}),
            "a fit of the median, which a few rows cannot move, instead of the mean",
        )
    return None


def outlier_candidates(case: Case, rows: Rows) -> Iterator[tuple[int, Tensor, Tensor]]:
    """Yield each target with its values and then its errors `[rows]`, and which of these are far off.

    Values, too, as the network may have memorized the outliers; errors count only if they are also large compared with
    the target's standard deviation.
    """
    for target, values in enumerate(rows.targets.T):
        if case.attainable.outliers.any():
            yield target, values, far_off(values)
        if not case.diverged:
            errors = case.residuals[:, target]
            yield target, errors, far_off(errors) & ((errors - errors.median()).abs() > MISSES)


def far_inputs(case: Case, count: int) -> Finding:
    """Report inputs so far off that scaling squeezes all others together."""
    inputs = case.problem.train.inputs
    scale = robust_scaling(inputs)
    return Finding(
        "outliers",
        "certain",
        {"rows": count, "of": len(inputs)},
        f"{count} of {plural(len(inputs), 'row')} {'has' if count == 1 else 'have'} inputs so far off that, after "
        "scaling, all others look the same; without them a smooth function explains the targets.",
        prescribe(case, {"data.scale_inputs": scale}) if scale != "standardize" else (),
        "inputs that differ from each other" if scale != "standardize" else "remove these rows",
    )


def squeezed(case: Case) -> Finding | None:
    """Find an input with one value so far off that, after scaling, all others look the same."""
    for column, name in enumerate(case.problem.dataset.input_names):
        values = torch.tensor(sorted(set(case.problem.train.inputs[:, column].tolist())))
        if len(values) < 3:  # two values are as far apart as can be
            continue
        steps = values.diff()
        for far, others, gap in ((values[-1], values[:-1], steps[-1]), (values[0], values[1:], steps[0])):
            width = others[-1] - others[0]
            if gap < SQUEEZED_RATIO * width:
                continue
            count = int((case.problem.train.inputs[:, column] == far).sum())
            return Finding(
                "outliers",
                "certain",
                {"input": name, "value": float(far), "times": float(gap / width)},
                f"{name} is {float(others[0]):.6g} to {float(others[-1]):.6g}, except for {float(far):.6g} in "
                f"{plural(count, 'row')}: after scaling, the others span "
                f"{float(width / (values[-1] - values[0])):.2g} of the range and look the same to the network.",
                (),
                f"check {name} = {float(far):.6g}, or remove {'that row' if count == 1 else 'those rows'}",
            )
    return None


def robust_scaling(values: Tensor) -> str | float:
    """Return how to scale columns `[rows, columns]` whose standard deviation a few outliers have distorted."""
    usual = robust_deviation(values)
    varying = usual > 0
    usual, center = usual[varying], values.median(0).values[varying].abs()
    if len(usual) == 0 or bool((center > UNSCALED_TARGETS * usual).any()):
        return "standardize"
    if bool(((usual > 1 / OFF_TARGETS) & (usual < OFF_TARGETS)).all()):
        return "none"
    even = float(usual.max() / usual.min()) < UNSCALED_TARGETS
    return float(f"{float(1 / usual.mean()):.2g}") if even else "standardize"


def neighbour_fraction(rows: Rows, far: Tensor) -> float:
    """Return the fraction of rows far off whose nearest row is far off too, as in a bad fit rather than an error."""
    inputs = standardize(rows.inputs, rows.inputs)
    distances = torch.cdist(inputs[far], inputs)
    distances[torch.arange(len(distances)), far.nonzero()[:, 0]] = torch.inf
    return float(far[distances.argmin(1)].double().mean())


def standardize(inputs: Tensor, train: Tensor) -> Tensor:
    """Return inputs over the training rows' standard deviation, without columns that are constant there."""
    varying = train.amin(0) < train.amax(0)
    return inputs[:, varying] / train.std(0)[varying]


def uncovered_fraction(case: Case, region: str) -> float:
    """Return the fraction of a region's rows that are far from all training rows, compared with their spacing."""
    train = sample_rows(case.problem.train, MOST_MEASURED_ROWS).inputs
    near, others = (
        standardize(each, train) for each in (train, sample_rows(case.problem.fresh[region], MOST_MEASURED_ROWS).inputs)
    )
    usual = torch.cdist(near, near).fill_diagonal_(torch.inf).amin(1).quantile(0.9)
    return float((torch.cdist(others, near).amin(1) > FAR_DISTANCE * usual).double().mean())


def does_not_generalize(case: Case) -> Finding | None:
    """Find a validation region that the training rows do not cover."""
    if case.diverged:
        return None
    for region in case.val_regions:
        error = max(case.errors(region))
        fits = case.train_error <= FITS_NRMSE or case.train_error * FITS_TIMES <= error
        part = uncovered_fraction(case, region) if fits and error >= FITS_TIMES * case.train_error else 0.0
        if part < FAR_PART:
            continue
        covering = case.problem.dataset.covering
        return Finding(
            "does_not_generalize",
            "certain",
            {"region": region, "nrmse_train": case.train_error, "nrmse_region": error, "part_uncovered": part},
            f"{part:.0%} of the rows of {region} are far from all training rows; the error there is "
            f"{format_percent(error)} of the standard deviation, on the training rows "
            f"{format_percent(case.train_error)}: networks do not extrapolate reliably.",
            prescribe(case, covering) if covering else (),
            "training rows that cover the region" if covering else f"give training rows that cover {region}",
        )
    return None


def val_loss_rose(case: Case) -> bool:
    """Whether the validation loss has risen far above its lowest value while the training loss kept falling."""
    best = [row["train/loss"] for row in case.history if row["epoch"] == case.metrics["best/epoch"]]
    return case.val_loss_growth > VAL_LOSS_DOUBLED and bool(best) and case.train_loss < best[0]


def overfit(case: Case) -> Finding | None:
    """Find memorized training rows, noise included: a validation loss that rose, or that never fell."""
    if case.diverged or case.train_error > MEMORIZED_NRMSE:
        return None
    rows, weights = len(case.problem.train.inputs), case.network.parameters
    # Targets with small validation errors are fine, however much smaller their training errors are.
    missed = [(error, target) for target, error in enumerate(case.errors("val")) if error > GOOD_NRMSE]
    if not missed:
        return None
    gap, val, target = max((case.generalization_gap(target), error, target) for error, target in missed)
    train = case.errors("train")[target]
    rose = case.val_loss_growth_limit > OVERFITS
    smooth = float(case.attainable.smooth.nan_to_num(0.0).max())
    memorized = weights >= rows and has_converged(case)
    apart = gap >= CERTAIN_FACTOR and (rose or memorized) and uncovered_fraction(case, "val") < FAR_PART
    if not (apart or val_loss_rose(case)):
        return None
    best, data = case.metrics["best/epoch"], case.cfg.data
    since = (
        f"; val/loss was lowest at epoch {best} and has grown by a factor of {case.val_loss_growth:.2g} since" * rose
    )
    changes: dict[str, object] = {"regularization.l2": 1e-2}
    expected, hopeless = "a network that learns less of the noise", False
    if "points" in data:
        points = max(MORE_POINTS * int(data.points), 8 * 64)
        changes = {"data.points": points, "data.batch_size": 64, "trainer.max_epochs": -(-FIT_STEPS * 64 // points)}
        expected = "enough rows to tell the function from the noise"
    elif val < NOISE_ROOM * smooth:
        expected, hopeless = "more rows, or fewer inputs", True
    message = f"; a smooth function has {format_percent(smooth)} on left-out rows, so no better fit is known" * hopeless
    return Finding(
        "overfit",
        "certain" if case.val_loss_growth_limit > CERTAIN_FACTOR else "likely",
        {"nrmse_train": train, "nrmse_val": val, "rise": case.val_loss_growth, "rows": rows, "weights": weights},
        f"The error is {format_percent(train)} of the standard deviation on the training rows and "
        f"{format_percent(val)} on others{since}: {weights} weights have memorized {rows} rows{message}.",
        () if hopeless else prescribe(case, changes, steps=0),
        expected,
    )


def has_converged(case: Case) -> bool:
    """Whether further training would not lower the validation error: it was long, or the training error is tiny."""
    return case.loss_curve.epochs * case.steps_per_epoch >= FEW_STEPS * FIT_STEPS or case.train_error < GOOD_NRMSE**2
