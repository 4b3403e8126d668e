"""Whether a cure worked, measured over several seeds and splits."""

import math
import statistics
from collections.abc import Sequence
from typing import NamedTuple

from fit.doctor.case import Case
from fit.doctor.thresholds import BETTER_RATIO, CURED_RATIO, SINGLE_RATIO

# The 95 % quantile of Student's t for 1, 2, … degrees of freedom: whether a cure improves a fit is one-sided.
STUDENT_T_95 = (6.314, 2.920, 2.353, 2.132, 2.015, 1.943, 1.895, 1.860, 1.833)
SMALLEST_ERROR, LARGEST_ERROR = 1e-12, 1e3


class Verdict(NamedTuple):
    """The largest error after a cure over that before: `ratio`, with 90 % confidence limits `low` and `high`.

    `ratio` is the geometric mean over pairs of trainings with the same seed and rows; the limits are by Student's t.
    `word` is `better` or `worse` if the error fell or rose by more than these limits allow, `no better` if neither,
    and `cured` if it is better and the fit is now good or has a tenth of the error.
    """

    word: str
    ratio: float
    low: float
    high: float
    trainings: int

    @property
    def rank(self) -> int:
        """How good it is: 0 for cured, 1 for better, 2 for what did not work."""
        return {"cured": 0, "better": 1}.get(self.word, 2)

    @property
    def worked(self) -> bool:
        """Whether the cure improved the fit by more than chance."""
        return self.rank < 2

    def __str__(self) -> str:
        """Return the verdict with its numbers."""
        spread = f" ({self.low:.2g} to {self.high:.2g} in {self.trainings} trainings)" if self.trainings > 1 else ""
        return f"{self.word}, the largest error is {self.ratio:.2g} times what it was{spread}"


def judge(before: Sequence[Case], after: Sequence[Case]) -> Verdict:
    """Compare trainings pair by pair, those of the run itself first, by errors on the same rows.

    Outliers are left out of all if a robust loss leaves them out of some. Pairs that repeat the first pair, as where
    the cure sets the seed and the data have nothing to draw, say nothing more.
    """
    robust = any(case.robust for case in (*before, *after))
    pairs = [(was.worst_of(robust), now.worst_of(robust)) for was, now in zip(before, after, strict=True)]
    logs = [log_ratio(*pair) for number, pair in enumerate(pairs) if number == 0 or not same(pair, pairs[0])]
    mean, count = statistics.fmean(logs), len(logs)
    half = STUDENT_T_95[count - 2] * statistics.stdev(logs) / math.sqrt(count) if count > 1 else -math.log(SINGLE_RATIO)
    room = max(half, -math.log(BETTER_RATIO))
    small = 2 * sum(case.good for case in after) > len(after) or mean <= math.log(CURED_RATIO)
    if mean + room <= 0:
        word = "cured" if small and (after[0].good or logs[0] <= math.log(CURED_RATIO)) else "better"
    else:
        word = "worse" if mean - room > 0 else "no better"
    return Verdict(word, math.exp(mean), math.exp(mean - half), math.exp(mean + half), count)


def same(one: tuple[float, float], other: tuple[float, float]) -> bool:
    """Whether two pairs of errors are those of one training."""
    return all(math.isclose(first, second, rel_tol=1e-9) for first, second in zip(one, other, strict=True))


def log_ratio(before: float, after: float) -> float:
    """Return the logarithm of `after / before`.

    An error above that of always predicting the mean, or of a run that diverged, counts as that of the mean: a cure has
    to get below it.
    """
    if before > 1:
        before, after = 1.0, min(after, 1.0)
    return math.log(min(max(after, SMALLEST_ERROR), LARGEST_ERROR) / max(before, SMALLEST_ERROR))
