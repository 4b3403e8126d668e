"""Configurations of older versions, as this one would write them."""

from collections.abc import MutableMapping
from typing import Any, TypeVar

from omegaconf import DictConfig

Stored = TypeVar("Stored", bound=MutableMapping[str, Any] | DictConfig)

# Where the data sets were up to 0.1.
MOVED = {
    f"fit.data.{name}": f"fit.data.datasets.{name}"
    for name in (
        "arrays.Arrays",
        "custom.Custom",
        "expression.Expression",
        "multi_function.MultiFunction",
        "random_linear.RandomLinear",
        "temperature.Temperature",
        "xy_ring.XYRing",
        "xy_square.XYSquare",
    )
} | {"fit.data.table.Table": "fit.data.table.table.Table"}


def modern(stored: Stored) -> Stored:
    """Return the configuration of a run of any version as this one would write it; it is changed in place."""
    stored.pop("compile", None)
    if stored.get("engine", "compiled") == "compiled":
        stored["engine"] = "auto"
    if "figures" not in stored:
        stored["figures"] = True
    data = stored["data"]
    if "_target_" in data:
        data["_target_"] = MOVED.get(data["_target_"], data["_target_"])
    return stored
