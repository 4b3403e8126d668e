"""Whether a cure has worked: measured with several seeds and several choices of the rows held out."""

import math
import statistics
from collections.abc import Sequence
from typing import NamedTuple

from fit.doctor.case import Case
from fit.doctor.thresholds import BETTER_RATIO, CURED_RATIO, SINGLE_RATIO

# The 95 % quantile of Student's t for 1, 2, … degrees of freedom: that a cure improves by chance is one-sided.
STUDENT_T_95 = (6.314, 2.920, 2.353, 2.132, 2.015, 1.943, 1.895, 1.860, 1.833)
SMALLEST_ERROR, LARGEST_ERROR = 1e-12, 1e3


class Verdict(NamedTuple):
    """What a cure has done to the largest error over the spread: `ratio` times what it was, from `low` to `high`.

    `ratio` is the geometric mean over pairs of trainings that share their seed and rows, `low` and `high` are its 90 %
    confidence limits by Student's t. Cured is what is good now, or has a tenth of its error, and has improved by more
    than that; better is what has improved, worse what has got worse, by more than these limits allow.
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
        """Whether the cure has improved the fit by more than chance would."""
        return self.rank < 2

    def __str__(self) -> str:
        """Say it with its numbers."""
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
    """Return the logarithm of what an error was multiplied by.

    An error above that of always answering the mean, or of a run that diverged, counts as that of the mean: a cure is
    to get below it.
    """
    if before > 1:
        before, after = 1.0, min(after, 1.0)
    return math.log(min(max(after, SMALLEST_ERROR), LARGEST_ERROR) / max(before, SMALLEST_ERROR))
