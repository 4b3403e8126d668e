"""How values, counts and names are written in messages."""

import difflib
import math
import re
from collections.abc import Sequence

from omegaconf import DictConfig, ListConfig, OmegaConf

# The most names to list in a message.
MOST_NAMED = 20


def shown(value: object) -> str:
    """Format a value as it is typed on the command line."""
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
    """Format a count with its noun."""
    return f"{count} {noun}" + ("s" if count != 1 else "")


def ends(low: float, high: float, digits: int = 4) -> tuple[str, str]:
    """Format the ends of a range with `digits` digits, or with more if they would look alike."""
    size = max(abs(low), abs(high))
    if low < high and math.isfinite(high - low):
        digits = max(digits, 2 + math.ceil(math.log10(size / (high - low))))
    return f"{low:.{digits}g}", f"{high:.{digits}g}"


def class_name(target: object) -> str:
    """Return the class that a `_target_` names, without its module."""
    return str(target).rpartition(".")[2]


def option_name(target: object) -> str:
    """Return the class that a `_target_` names, written as its configuration file: `OneCycle` as `one_cycle`."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", class_name(target)).lower()


def shorten_list(names: Sequence[object], most: int = MOST_NAMED, noun: str = "") -> str:
    """Join at most `most` names, then `…` and, with a `noun`, how many there are."""
    more = (f" ({len(names)} {noun})" if noun else "") if len(names) > most else ""
    return ", ".join(map(str, names[:most])) + (f", …{more}" if len(names) > most else "")


def align_columns(rows: Sequence[Sequence[str]], numbers: bool = False) -> list[str]:
    """Align the columns of a table, two spaces apart: to the left or, of `numbers`, all but the first to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    aligns = [str.ljust, *[str.rjust if numbers else str.ljust] * (len(widths) - 1)]
    return [
        "  ".join(align(cell, width) for align, cell, width in zip(aligns, cells, widths, strict=True)).rstrip()
        for cells in rows
    ]


def nearest(name: str, names: Sequence[str]) -> str:
    """Return a suggestion of the names most similar to one that does not exist; empty if none is."""
    close = difflib.get_close_matches(name, names, n=3)
    close += [each for each in names if each.split(".")[-1] == name.split(".")[-1] and each not in close]
    return f" (did you mean {' or '.join(close[:3])}?)" if close else ""
