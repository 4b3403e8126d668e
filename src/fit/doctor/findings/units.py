"""Causes that lie in what single units do."""

from fit.doctor.case import Case
from fit.doctor.finding import Finding
from fit.doctor.prescription import prescribe
from fit.doctor.thresholds import FEW_UNITS, SILENT_UNITS, VANISHED


def sound_start(case: Case) -> dict[str, object]:
    """Return start values that are not to blame."""
    changes: dict[str, object] = {}
    if not isinstance(case.cfg.model.init, str):
        changes["model.init"] = "default"
    if not 0.3 <= case.cfg.model.gain <= 3:
        changes["model.gain"] = 1.0
    return changes


def dead_units(case: Case) -> Finding | None:
    """Units that answer to no row, and so are never trained again."""
    looks = case.end_units[:-1]
    worst = max((look.dead for look in looks), default=0.0)
    if worst < SILENT_UNITS:
        return None
    layer = [look.dead for look in looks].index(worst) + 1
    before = case.start_units[layer - 1].dead
    activation = case.cfg.model.activation
    changes = {"model.activation": "leaky_relu" if activation == "gelu" else "gelu"} | sound_start(case)
    if min(case.cfg.model.hidden) < FEW_UNITS:
        changes["model.hidden"] = [64, 64]
    return Finding(
        "dead_units",
        "certain" if worst > 0.9 else "likely",
        {"layer": layer, "part_dead": worst, "part_dead_at_start": before},
        f"{worst:.0%} of the {activation} units of hidden layer {layer} answer to none of the training rows "
        f"({before:.0%} at the start): they are never trained again.",
        prescribe(case, changes),
        "units that all take part",
    )


def saturated_units(case: Case) -> Finding | None:
    """Bounded units pushed to their bounds, where their slope is nothing."""
    looks = case.end_units[:-1]
    worst = max((look.saturated for look in looks), default=0.0)
    start = max((look.saturated for look in case.start_units[:-1]), default=0.0)
    if max(worst, start) < SILENT_UNITS:
        return None
    return Finding(
        "saturated_units",
        "certain" if start >= SILENT_UNITS else "likely",
        {"part_saturated": worst, "part_saturated_at_start": start},
        f"{worst:.0%} of the {case.cfg.model.activation} units of a hidden layer sit at their bounds ({start:.0%} at the "
        "start), where next to no gradient passes.",
        prescribe(case, sound_start(case)),
        "units in the middle of their range",
    )


def vanishing_gradient(case: Case) -> Finding | None:
    """A gradient that does not reach the first layers."""
    looks = case.start_units
    if len(looks) < 4:
        return None
    first, last = looks[0].gradient, looks[-1].gradient
    if not last > 0 or first / last > VANISHED:
        return None
    return Finding(
        "vanishing_gradient",
        "certain" if first / last < 0.1 * VANISHED else "likely",
        {"gradient_first": first, "gradient_last": last, "ratio": first / last},
        f"At the start the gradient of the first layer is {first / last:.2g} of that of the last, behind "
        f"{len(looks) - 1} layers of {case.cfg.model.activation}: what is near the inputs is hardly trained.",
        prescribe(case, sound_start(case) | {"model.activation": "gelu", "model.init": "kaiming_normal"}),
        "a gradient of the same size in all layers",
    )
