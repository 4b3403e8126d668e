"""The space of a search: Hydra's overrides as Optuna's distributions."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from hydra.core.override_parser.types import ChoiceSweep, IntervalSweep, Override, RangeSweep
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from fit.errors import FitError
from fit.settings.schema import LARGEST

# Larger whole numbers are not exact in the doubles that samplers use.
LARGEST_WHOLE = 2**53


@dataclass(frozen=True)
class Space:
    """The distributions of the searched keys, and the overrides that all trials share, by key as typed."""

    searched: dict[str, BaseDistribution]
    fixed: dict[str, str]
    typed: dict[str, str]

    def overrides(self, values: dict[str, object]) -> list[str]:
        """Return the overrides of a trial."""
        return [
            *self.fixed.values(),
            *(f"{key}={format_value(values[key], each)}" for key, each in self.searched.items()),
        ]

    def choices(self, values: dict[str, object]) -> tuple[object, ...]:
        """Return the categorical values of a trial."""
        return tuple(values[key] for key, each in self.searched.items() if isinstance(each, CategoricalDistribution))

    def corners(self) -> list[dict[str, object]]:
        """Return points that together cover every choice and both ends of every range."""
        ends = {key: corner_values(each) for key, each in self.searched.items()}
        return [
            {key: each[row % len(each)] for key, each in ends.items()} for row in range(max(map(len, ends.values())))
        ]


def read_space(overrides: Iterable[Override]) -> Space:
    """Separate searched from fixed overrides; the last one counts of a key given twice, as in Hydra."""
    searched: dict[str, BaseDistribution] = {}
    fixed: dict[str, str] = {}
    typed: dict[str, str] = {}
    for override in overrides:
        key, line = override.get_key_element(), override.input_line or ""
        searched.pop(key, None)
        fixed.pop(key, None)
        typed[key] = line.partition("=")[2]
        if override.is_sweep_override():
            searched[key] = parse_distribution(override, line)
        else:
            fixed[key] = line
    if not searched:
        raise FitError(
            "There is nothing to search: give hydra/sweeper=optuna at least one setting "
            "such as 'optimizer.lr=tag(log, interval(1e-4, 1))', 'model.hidden=choice([16],[64,64])' "
            "or 'data.batch_size=range(8,64,8)'."
        )
    return Space(searched, fixed, typed)


def parse_distribution(override: Override, line: str) -> BaseDistribution:
    """Return the distribution of one searched setting."""
    value = override.value()
    # A sampler ignores the order of values, and a random order would be another space every time.
    if isinstance(value, ChoiceSweep | RangeSweep):
        value.shuffle = False
    tags: set[str] = getattr(value, "tags", set())
    log = "log" in tags
    if tags - {"log"} or (log and isinstance(value, ChoiceSweep)):
        raise not_searchable(line, "the only tag is log, and for interval(...) and range(...)")
    if isinstance(value, IntervalSweep):
        return parse_interval(value, log, line)
    if isinstance(value, RangeSweep):
        return parse_range(value, log, line)
    choices = list(dict.fromkeys(override.sweep_string_iterator()))
    if not choices:
        raise not_searchable(line, "no option is of that name")
    return CategoricalDistribution(choices)


def parse_interval(sweep: IntervalSweep, log: bool, line: str) -> BaseDistribution:
    """Return the distribution of an interval; one of whole numbers includes both ends."""
    low, high = sweep.start, sweep.end
    assert low is not None
    assert high is not None
    check_bounds(low, high, log, line)
    if low >= high:
        raise not_searchable(line, "the lower end of an interval comes first")
    if isinstance(low, int) and isinstance(high, int):
        return IntDistribution(low, high, log=log)
    return FloatDistribution(float(low), float(high), log=log)


def parse_range(sweep: RangeSweep, log: bool, line: str) -> BaseDistribution:
    """Return the distribution of range(START, STOP, STEP), which ends before STOP, as always in Hydra."""
    start, stop, step = sweep.start or 0, sweep.stop or 0, sweep.step
    whole = all(isinstance(each, int) for each in (start, stop, step))
    check_bounds(min(start, stop), max(start, stop), False, line)
    if step == 0 or not math.isfinite(step):
        raise not_searchable(line, "the step of a range is a number other than 0")
    # In decimals, or 0.9 would be among 0, 0.3, ... below 0.9.
    first, by = Decimal(str(start)), Decimal(str(step))
    count = math.ceil((Decimal(str(stop)) - first) / by)
    if count < 1:
        raise not_searchable(line, "this range is empty")
    low, high = sorted((first, first + (count - 1) * by))
    if log and not (whole and abs(step) == 1):
        raise not_searchable(
            line, "a range on a log scale is one of whole numbers in steps of 1; interval(...) takes log"
        )
    check_bounds(float(low), float(high), log, line)
    if whole:
        return IntDistribution(int(low), int(high), log=log, step=abs(int(step)))
    return FloatDistribution(float(low), float(high), step=abs(float(step)))


def check_bounds(low: float, high: float, log: bool, line: str) -> None:
    """Raise FitError for ends that a sampler cannot handle."""
    largest = LARGEST_WHOLE if isinstance(low, int) and isinstance(high, int) else LARGEST
    if not (-largest <= low <= largest and -largest <= high <= largest):
        raise not_searchable(line, f"its ends are numbers from {-largest:g} to {largest:g}")
    if log and low <= 0:
        raise not_searchable(line, "a log scale begins above 0")


def not_searchable(line: str, why: str) -> FitError:
    """Return the error that a setting cannot be searched."""
    return FitError(f"{line} cannot be searched: {why}.")


def corner_values(each: BaseDistribution) -> list[object]:
    """Return every choice, or both ends; those of an interval just inside, as interval(0,1) may exclude 1."""
    if isinstance(each, CategoricalDistribution):
        return list(each.choices)
    assert isinstance(each, IntDistribution | FloatDistribution)
    inside = 0.001 * (each.high - each.low) if isinstance(each, FloatDistribution) and each.step is None else 0
    return [each.low + inside, each.high - inside]


def grid_values(each: BaseDistribution) -> Iterable[object] | None:
    """Return all values, lazily; None for a continuous range."""
    if isinstance(each, CategoricalDistribution):
        return each.choices
    if isinstance(each, IntDistribution):
        return range(each.low, each.high + 1, each.step)
    if isinstance(each, FloatDistribution) and each.step is not None:
        low, by = Decimal(str(each.low)), Decimal(str(each.step))
        return (float(low + index * by) for index in range(round((each.high - each.low) / each.step) + 1))
    return None


def format_value(value: object, each: BaseDistribution) -> str:
    """Format a value as it is typed; samplers give 0.30000000000000004 for the third step of 0.1."""
    if isinstance(each, FloatDistribution) and each.step is not None:
        assert isinstance(value, int | float)
        low, by = Decimal(str(each.low)), Decimal(str(each.step))
        return str(float(low + round((value - each.low) / each.step) * by))
    return str(value)
