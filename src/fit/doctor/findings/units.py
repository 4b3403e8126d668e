"""Causes in single units."""

from fit.doctor.case import Case
from fit.doctor.cures.prescription import prescribe
from fit.doctor.finding import Finding
from fit.doctor.text import format_percent
from fit.doctor.thresholds import FEW_LAYERS, FEW_UNITS, MOST_SILENT, SILENT_UNITS, VANISHED


def dead_units(case: Case) -> Finding | None:
    """Find dead units: their output changes with no row, so they get no gradient."""
    dead = [layer.dead for layer in case.network.end_layers[:-1]]
    if max(dead, default=0.0) < SILENT_UNITS:
        return None
    layer = dead.index(max(dead))
    before, activation = case.network.start_layers[layer].dead, case.cfg.model.activation
    changes: dict[str, object] = {
        "model.activation": next(each for each in ("gelu", "leaky_relu") if each != activation)
    }
    if min(case.cfg.model.hidden) < FEW_UNITS:
        changes["model.hidden"] = [64, 64]
    return Finding(
        "dead_units",
        "certain" if dead[layer] > MOST_SILENT else "likely",
        {"layer": layer + 1, "part_dead": dead[layer], "part_dead_at_start": before},
        f"{dead[layer]:.0%} of the {activation} units of hidden layer {layer + 1} are dead: inactive on all "
        f"training rows ({before:.0%} at the start), they get no gradient.",
        prescribe(case, changes),
        "units that are all active",
    )


def saturated_units(case: Case) -> Finding | None:
    """Find saturated units: bounded ones at their bounds, where their slope is about zero."""
    start, end = (
        max((layer.saturated for layer in layers[:-1]), default=0.0)
        for layers in (case.network.start_layers, case.network.end_layers)
    )
    if max(start, end) < SILENT_UNITS:
        return None
    where = f"sit at their bounds ({start:.0%} at the start)" if end >= start else "sat at their bounds at the start"
    return Finding(
        "saturated_units",
        "certain" if min(start, end) >= SILENT_UNITS else "likely",
        {"part_saturated": end, "part_saturated_at_start": start},
        f"{max(start, end):.0%} of the {case.cfg.model.activation} units of a hidden layer {where}, where hardly any "
        "gradient passes.",
        prescribe(case),
        "units in the middle of their range",
    )


def vanishing_gradient(case: Case) -> Finding | None:
    """Find a gradient that hardly reaches the first layer."""
    layers = case.network.start_layers
    if len(layers) <= FEW_LAYERS:
        return None
    first, last = layers[0].gradient, layers[-1].gradient
    if not last > 0 or first / last > VANISHED:
        return None
    share = format_percent(first / last) if first else "zero"
    return Finding(
        "vanishing_gradient",
        "certain" if first / last < 0.1 * VANISHED else "likely",
        {"gradient_first": first, "gradient_last": last, "ratio": first / last},
        f"Across {len(layers) - 1} layers of {case.cfg.model.activation} the gradient shrinks to {share} from the last "
        "layer to the first at the start: the layers near the inputs are hardly trained.",
        prescribe(case, {"model.activation": "gelu", "model.init": "kaiming_normal"}),
        "gradients of similar size in all layers",
    )
