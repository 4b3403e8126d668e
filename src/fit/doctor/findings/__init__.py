"""The causes that the doctor knows, the most important first."""

from collections.abc import Callable

from fit.doctor.case import Case
from fit.doctor.finding import Finding
from fit.doctor.findings.data import (
    does_not_generalize,
    inputs_unscaled,
    nothing_to_learn,
    one_target_dominates,
    outliers,
    overfit,
    target_constant,
    targets_unscaled,
)
from fit.doctor.findings.model import affine_model, bad_start, float_floor, network_too_small, output_range
from fit.doctor.findings.steps import noisy_plateau, step_too_large, step_too_small, too_few_epochs
from fit.doctor.findings.units import dead_units, saturated_units, vanishing_gradient

Find = Callable[[Case], Finding | None]

# What is impossible, whatever the training; then what spoils the training; then what it lacked; then what is left.
FINDINGS: tuple[Find, ...] = (
    nothing_to_learn,
    target_constant,
    output_range,
    affine_model,
    step_too_large,
    float_floor,
    inputs_unscaled,
    one_target_dominates,
    targets_unscaled,
    saturated_units,
    dead_units,
    vanishing_gradient,
    outliers,
    does_not_generalize,
    overfit,
    step_too_small,
    noisy_plateau,
    too_few_epochs,
    bad_start,
    network_too_small,
)
# What can be known before the first step.
BEFORE: tuple[Find, ...] = (
    target_constant,
    output_range,
    affine_model,
    step_too_large,
    inputs_unscaled,
    targets_unscaled,
)
