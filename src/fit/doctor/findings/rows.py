"""Causes that lie in which rows there are: too few, elsewhere, or wrong."""

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
    """Find a few rows so far off that they hold most of the squared error, or squeeze all others together."""
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
            f"{'holds' if count == 1 else 'hold'} {part:.0%} of the squared error "
            f"of {name}: squaring makes them count for far more than all others.",
            prescribe(case, {"loss": "mae", "data.scale_targets": robust_scaling(train.targets)}),
            "the median instead of the mean, which a few rows cannot move",
        )
    return None


def outlier_candidates(case: Case, rows: Rows) -> Iterator[tuple[int, Tensor, Tensor]]:
    """Yield each target, its values or the errors there `[rows]`, and which of these are far off.

    A network may have learned what is far off by heart; an error matters only where it is one beside the spread, too.
    """
    for target, values in enumerate(rows.targets.T):
        if case.attainable.outliers.any():
            yield target, values, far_off(values)
        if not case.diverged:
            errors = case.residuals[:, target]
            yield target, errors, far_off(errors) & ((errors - errors.median()).abs() > MISSES)


def far_inputs(case: Case, count: int) -> Finding:
    """Say that some inputs are so far off that scaling by their spread leaves none to the others."""
    inputs = case.problem.train.inputs
    scale = robust_scaling(inputs)
    return Finding(
        "outliers",
        "certain",
        {"rows": count, "of": len(inputs)},
        f"{count} of {plural(len(inputs), 'row')} {'has' if count == 1 else 'have'} inputs so far from all others that "
        "beside them these look the same, and without them a smooth function explains the targets.",
        prescribe(case, {"data.scale_inputs": scale}) if scale != "standardize" else (),
        "inputs that differ from each other" if scale != "standardize" else "take these rows out of the data",
    )


def squeezed(case: Case) -> Finding | None:
    """Find an input of which one value is so far from all others that beside it these are the same to the network."""
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
                f"{name} is from {float(others[0]):.6g} to {float(others[-1]):.6g}, but {float(far):.6g} in "
                f"{plural(count, 'row')}: scaled "
                f"together, the others lie {float(width / (values[-1] - values[0])):.2g} of the range apart, and are "
                "all the same to the network.",
                (),
                f"check {name} = {float(far):.6g}, or take {'that row' if count == 1 else 'those rows'} out",
            )
    return None


def robust_scaling(values: Tensor) -> str | float:
    """Return how to scale columns `[rows, columns]` of which a few rows have made the spread meaningless."""
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
    """Return the part of the rows far off whose nearest row is far off, too: those of a misfit, not of a mistake."""
    inputs = standardize(rows.inputs, rows.inputs)
    distances = torch.cdist(inputs[far], inputs)
    distances[torch.arange(len(distances)), far.nonzero()[:, 0]] = torch.inf
    return float(far[distances.argmin(1)].double().mean())


def standardize(inputs: Tensor, train: Tensor) -> Tensor:
    """Return inputs over the spread of the training rows, without columns that do not vary there."""
    varying = train.amin(0) < train.amax(0)
    return inputs[:, varying] / train.std(0)[varying]


def uncovered_fraction(case: Case, region: str) -> float:
    """Return the part of a region's rows that lie far from all training rows, beside how far those lie apart."""
    train = sample_rows(case.problem.train, MOST_MEASURED_ROWS).inputs
    near, others = (
        standardize(each, train) for each in (train, sample_rows(case.problem.fresh[region], MOST_MEASURED_ROWS).inputs)
    )
    usual = torch.cdist(near, near).fill_diagonal_(torch.inf).amin(1).quantile(0.9)
    return float((torch.cdist(others, near).amin(1) > FAR_DISTANCE * usual).double().mean())


def does_not_generalize(case: Case) -> Finding | None:
    """Find rows judged on that lie where there is nothing trained on."""
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
            f"{part:.0%} of the rows of {region} lie far from all training rows; the error there is {format_percent(error)} "
            f"of the standard deviation, on the training rows {format_percent(case.train_error)}: a network is not reliable "
            "outside of what it was shown.",
            prescribe(case, covering) if covering else (),
            "training rows that cover the region" if covering else f"give training rows that cover {region}",
        )
    return None


def val_loss_rose(case: Case) -> bool:
    """Whether the validation loss has grown far above its lowest while the training loss went on falling."""
    best = [row["train/loss"] for row in case.history if row["epoch"] == case.metrics["best/epoch"]]
    return case.val_loss_growth > VAL_LOSS_DOUBLED and bool(best) and case.train_loss < best[0]


def overfit(case: Case) -> Finding | None:
    """Find training rows learned by heart, noise included: a validation loss that rose, or one that never fell."""
    if case.diverged or case.train_error > MEMORIZED_NRMSE:
        return None
    rows, weights = len(case.problem.train.inputs), case.network.parameters
    # Of targets that are met well on rows held out nothing is amiss, however much better they are met on the others.
    missed = [(error, target) for target, error in enumerate(case.errors("val")) if error > GOOD_NRMSE]
    if not missed:
        return None
    gap, val, target = max((case.generalization_gap(target), error, target) for error, target in missed)
    train = case.errors("train")[target]
    rose = case.val_loss_growth_limit > OVERFITS
    smooth = float(case.attainable.smooth.nan_to_num(0.0).max())
    by_heart = weights >= rows and has_converged(case)
    apart = gap >= CERTAIN_FACTOR and (rose or by_heart) and uncovered_fraction(case, "val") < FAR_PART
    if not (apart or val_loss_rose(case)):
        return None
    best, data = case.metrics["best/epoch"], case.cfg.data
    since = f"; val/loss was lowest at epoch {best} and has grown {case.val_loss_growth:.2g} times since" * rose
    changes: dict[str, object] = {"regularization.l2": 1e-2}
    hoped, hopeless = "less of the noise learned", False
    if "points" in data:
        points = max(MORE_POINTS * int(data.points), 8 * 64)
        changes = {"data.points": points, "data.batch_size": 64, "trainer.max_epochs": -(-FIT_STEPS * 64 // points)}
        hoped = "rows enough to tell the function from the noise"
    elif val < NOISE_ROOM * smooth:
        hoped, hopeless = "more rows, or fewer inputs", True
    message = f"; a smooth function leaves {format_percent(smooth)} there, so nothing better was found" * hopeless
    return Finding(
        "overfit",
        "certain" if case.val_loss_growth_limit > CERTAIN_FACTOR else "likely",
        {"nrmse_train": train, "nrmse_val": val, "rise": case.val_loss_growth, "rows": rows, "weights": weights},
        f"The error is {format_percent(train)} of the standard deviation on training rows and {format_percent(val)} on others"
        f"{since}: {weights} weights have learned {rows} rows by heart{message}.",
        () if hopeless else prescribe(case, changes, steps=0),
        hoped,
    )


def has_converged(case: Case) -> bool:
    """Whether what is missed on other rows will stay missed: training was long, or leaves nothing to be learned."""
    return case.loss_curve.epochs * case.steps_per_epoch >= FEW_STEPS * FIT_STEPS or case.train_error < GOOD_NRMSE**2
