"""The detectors of all causes, the most important first."""

from collections.abc import Callable

from fit.doctor.case import Case
from fit.doctor.finding import Finding
from fit.doctor.findings.data import (
    constant,
    inputs_unscaled,
    jump,
    nothing_to_learn,
    one_target_dominates,
    target_constant,
    targets_unscaled,
    undersampled,
)
from fit.doctor.findings.model import (
    affine_model,
    bad_start,
    equal_start,
    float_floor,
    network_too_small,
    output_range,
    over_regularized,
    wild_start,
)
from fit.doctor.findings.rows import does_not_generalize, outliers, overfit
from fit.doctor.findings.steps import noisy_plateau, step_too_large, step_too_small, too_few_epochs
from fit.doctor.findings.units import dead_units, saturated_units, vanishing_gradient

Detector = Callable[[Case], Finding | None]

# If one of these is found, nothing else matters.
DECISIVE: tuple[Detector, ...] = (constant, outliers, nothing_to_learn)
# What makes a fit impossible, then what harms it.
HARMFUL: tuple[Detector, ...] = (
    target_constant,
    output_range,
    affine_model,
    equal_start,
    wild_start,
    step_too_large,
    float_floor,
    inputs_unscaled,
    jump,
    one_target_dominates,
    targets_unscaled,
    over_regularized,
    saturated_units,
    dead_units,
    vanishing_gradient,
    does_not_generalize,
    overfit,
    step_too_small,
    noisy_plateau,
)
# What a fit lacks, if nothing certainly harms it.
INSUFFICIENT: tuple[Detector, ...] = (undersampled, too_few_epochs, bad_start, network_too_small)
# What can be known before the first step.
BEFORE_TRAINING: tuple[Detector, ...] = (
    target_constant,
    output_range,
    affine_model,
    step_too_large,
    inputs_unscaled,
    targets_unscaled,
)
