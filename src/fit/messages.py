"""How values, counts and names are written in sentences."""

import difflib
import math
from collections.abc import Sequence

from omegaconf import DictConfig, ListConfig, OmegaConf


def shown(value: object) -> str:
    """Write a value as it is typed on the command line."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, DictConfig | ListConfig):
        return str(OmegaConf.to_container(value)).replace("'", "")
    return str(value)


def format_value(value: object, digits: int = 4) -> str:
    """Write a value as people type it: null, true, 1e-3, [64,64]."""
    if value is None or isinstance(value, bool):
        return "null" if value is None else str(value).lower()
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "[" + ",".join(format_value(item, digits) for item in value) + "]"
    if isinstance(value, float) and math.isfinite(value):
        mantissa, exponent = f"{value:.{digits - 1}e}".split("e")
        return min(f"{value:.{digits}g}", f"{float(mantissa):.{digits}g}e{int(exponent)}", key=len)
    return str(value)


def plural(count: int, noun: str) -> str:
    """Write a count with its noun."""
    return f"{count} {noun}" + ("s" if count != 1 else "")


def ends(low: float, high: float, digits: int = 4) -> tuple[str, str]:
    """Write the ends of a range with so many digits, and more where they would hardly be told apart."""
    size = max(abs(low), abs(high))
    if low < high and math.isfinite(high - low):
        digits = max(digits, 2 + math.ceil(math.log10(size / (high - low))))
    return f"{low:.{digits}g}", f"{high:.{digits}g}"


def nearest(name: str, names: Sequence[str]) -> str:
    """Suggest the names that look most like one that does not exist."""
    close = difflib.get_close_matches(name, names, n=3)
    close += [each for each in names if each.split(".")[-1] == name.split(".")[-1] and each not in close]
    return f" (did you mean {' or '.join(close[:3])}?)" if close else ""
