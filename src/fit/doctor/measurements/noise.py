"""Whether a fit's errors look like noise."""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from fit.data.dataset import Rows
from fit.doctor.measurements.attainable import MOST_KERNEL_ROWS, cross_validate, sample_rows
from fit.doctor.measurements.outliers import outliers_by_inputs, outliers_by_targets

# Of so many orders of the errors drawn at random, a smooth function explains as much of one as of the errors themselves
# in one case out of as many and one.
PERMUTATIONS = 19


class Structure(NamedTuple):
    """What a smooth function of the inputs leaves of errors on rows left out, over their spread `[targets]`.

    `left` of the errors, 1 where they look like noise and less where they follow the inputs; `by_chance` at least that
    of the errors in any order.
    """

    left: Tensor
    by_chance: Tensor


def structure_of(errors: Rows) -> Structure:
    """Look for structure in a fit's errors at its inputs, those far off left out.

    Source: Good, Permutation, Parametric and Bootstrap Tests of Hypotheses (2005), section 3.
    """
    usual = ~(outliers_by_targets(errors) | outliers_by_inputs(errors))
    rows = sample_rows(errors.take(usual.nonzero()[:, 0]), MOST_KERNEL_ROWS)
    generator, count = torch.Generator().manual_seed(0), len(rows.inputs)
    orders = [torch.arange(count), *(torch.randperm(count, generator=generator) for _ in range(PERMUTATIONS))]
    targets = torch.cat([rows.targets[order] for order in orders], 1)
    left = cross_validate(Rows(rows.inputs, targets), torch.zeros(count, dtype=torch.bool)).smooth.nan_to_num(1.0)
    first, *others = torch.split(left, rows.targets.shape[1])
    return Structure(first, torch.stack(others).amin(0))


def ratio_at_least(larger: float, smaller: float, *rows: int) -> float:
    """Return how many times larger a root mean square over some rows is than another, at least.

    That is less two standard errors of the ratio's logarithm, each mean square of n normal errors having one of
    sqrt(2/n).
    """
    return larger / max(smaller, 1e-300) * math.exp(-math.sqrt(sum(2 / count for count in rows)))
