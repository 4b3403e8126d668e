"""What a single setting may be: in words, and as a test."""

import codecs
from collections.abc import Callable, Collection
from typing import NamedTuple

from omegaconf import DictConfig, ListConfig

LARGEST = 1e30
# Whole numbers go up to here, which every machine can hold.
MOST = 2**31 - 1


class Rule(NamedTuple):
    """What a setting may be: in words, as a test, and the names among which a misspelt one is looked for."""

    allowed: str
    test: Callable[[object], bool]
    names: tuple[str, ...] = ()

    def or_null(self) -> "Rule":
        """Allow null, too."""
        return Rule(f"{self.allowed}, or null", lambda value: value is None or self.test(value))


def is_number(value: object) -> bool:
    """Whether a value is a number of a size to compute with in single precision (true and false are not)."""
    return isinstance(value, int | float) and not isinstance(value, bool) and -LARGEST <= value <= LARGEST


def number(allowed: str, test: Callable[[float], bool]) -> Rule:
    """Rule for a number."""
    return Rule(allowed, lambda value: isinstance(value, int | float) and is_number(value) and test(value))


def whole(least: int) -> Rule:
    """Rule for a whole number that a machine can hold."""
    return Rule(
        f"a whole number from {least} up to {MOST}",
        lambda value: isinstance(value, int) and not isinstance(value, bool) and least <= value <= MOST,
    )


def choice(*names: str) -> Rule:
    """Rule for one of a few names."""
    return Rule("one of " + ", ".join(names), lambda value: value in names, names)


def is_dotted(value: object) -> bool:
    """Whether a value is a name in a module, MODULE.NAME."""
    return isinstance(value, str) and "." in value and all(map(str.isidentifier, value.split(".")))


def named(names: Collection[str]) -> Rule:
    """Rule for one of some names, or a function of the user's own."""
    return Rule(
        f"one of {', '.join(names)}, or MODULE.FUNCTION of your own",
        lambda value: (
            value in names
            or (
                isinstance(value, str)
                and all(map(str.isidentifier, value.split(".", 1)[:1]))
                and "." in value.strip(".")
            )
        ),
        tuple(names),
    )


def is_init(value: object) -> bool:
    """Whether start values are named, or given as the constants `weight` and `bias`."""
    if isinstance(value, DictConfig):
        return set(value) == {"weight", "bias"} and all(map(is_number, value.values()))
    return value in INITS


def is_domain(value: object) -> bool:
    """Whether inputs, named as in formulas, have ranges: two ascending numbers, above 0 where `log` follows."""
    return isinstance(value, DictConfig) and len(value) > 0 and all(map(is_range, value, value.values()))


def is_range(name: object, value: object) -> bool:
    """Whether this is the range of an input."""
    if not isinstance(value, ListConfig) or not str(name).isidentifier() or len(value) not in (2, 3):
        return False
    low, high, *log = value
    return is_number(low) and is_number(high) and low < high and (not log or (log == ["log"] and low > 0))


def is_encoding(value: object) -> bool:
    """Whether Python knows an encoding of text by this name; those of host names are none of files."""
    try:
        found = codecs.lookup(value) if isinstance(value, str) else None
        return found is not None and found._is_text_encoding and found.name not in ("idna", "punycode", "undefined")
    except (LookupError, ValueError):
        return False


def is_names(value: object) -> bool:
    """Whether a value is a list of names, each there once."""
    return (
        isinstance(value, ListConfig)
        and all(isinstance(name, str | int | float) and not isinstance(name, bool) for name in value)
        and len(set(map(str, value))) == len(value)
    )


INITS = ("default", "xavier_normal", "xavier_uniform", "kaiming_normal")
POSITIVE = number(f"a number above 0 and up to {LARGEST:g}", lambda value: value > 0)
NOT_NEGATIVE = number(f"a number from 0 up to {LARGEST:g}", lambda value: value >= 0)
FRACTION = number("a number from 0 up and below 1", lambda value: 0 <= value < 1)
NUMBER = number(f"a number from {-LARGEST:g} to {LARGEST:g}", lambda value: True)
SCALING = Rule(
    "standardize, minmax, none, or a number other than 0 to multiply by",
    lambda value: value in ("standardize", "minmax", "none") or (is_number(value) and value != 0),
)
BOOLEAN = Rule("true or false", lambda value: isinstance(value, bool))
NAMES = "a list of column names, each once, such as [a,b]"
COLUMN = Rule("the name of a column", lambda value: isinstance(value, str | int) and not isinstance(value, bool))
FILE = Rule("a CSV, TSV or Parquet file", lambda value: isinstance(value, str) and value != "")
TARGET = Rule(
    "the dotted name of a class, such as torch.optim.Adam",
    lambda value: isinstance(value, str) and "." in value.strip("."),
)
