"""A problem: the training and validation rows of one member of a stack, and their scalers."""

from collections.abc import Sequence
from dataclasses import dataclass

from omegaconf import DictConfig
from torch import Tensor

from fit.data.dataset import DataSet, Rows
from fit.data.scalers import Scaler
from fit.errors import FitError
from fit.settings.build import build, find_class

# Numbers in this range can be squared and summed in double precision.
LARGEST_VALUE, SMALLEST_VALUE = 1e100, 1e-100
# A column has to vary by this fraction of its size: less is rounding of double precision.
LEAST_SPREAD = 1e-12


def build_dataset(cfg: DictConfig) -> DataSet:
    """Build the data set of a configuration; raise FitError for settings that it does not have."""
    return build(find_class("data", cfg, DataSet), "data", cfg)  # type: ignore[type-abstract]


@dataclass(frozen=True, eq=False)
class Problem:
    """One member's data: training and validation rows in their own units, and the scalers fitted on the former."""

    dataset: DataSet
    train: Rows
    fresh: dict[str, Rows]
    input_scaler: Scaler
    target_scaler: Scaler

    @property
    def scaled(self) -> Rows:
        """The training rows as the network sees them."""
        return Rows(self.input_scaler.transform(self.train.inputs), self.target_scaler.transform(self.train.targets))

    def check_region(self, metric: str) -> None:
        """Raise FitError if the data has no such region as a metric, REGION/ERROR, names."""
        names = ["train", *self.fresh]
        if metric.split("/")[0] not in names:
            raise FitError(f"optimized_metric={metric} is not allowed: this data set is judged on {', '.join(names)}.")


def pose(dataset: DataSet) -> Problem:
    """Split a data set and fit its scalers; raise FitError for numbers that are too large, small or close."""
    train, fresh = dataset.split()
    for rows in (train, *fresh.values()):
        for names, part in zip((dataset.input_names, dataset.target_names), rows, strict=True):
            check_columns(names, part, trained_on=rows is train)
    return Problem(
        dataset,
        train,
        fresh,
        Scaler.fit(dataset.scale_inputs, train.inputs),
        Scaler.fit(dataset.scale_targets, train.targets, zero_constants=True),
    )


def check_columns(names: Sequence[str], values: Tensor, trained_on: bool) -> None:
    """Raise FitError for a column of `[rows, columns]` that is too large or, in training, too small or too uniform."""
    for index, (low, high) in enumerate(zip(values.amin(0).tolist(), values.amax(0).tolist(), strict=True)):
        size, spread = max(abs(low), abs(high)), high - low
        if not size <= LARGEST_VALUE:
            raise FitError(
                f"{names[index]} has numbers that are not finite or beyond {LARGEST_VALUE:g}: give smaller ones."
            )
        if trained_on and 0 < (spread or size) < SMALLEST_VALUE:
            raise FitError(
                f"{names[index]} spans {spread or size:.3g}: use a unit in which this is above {SMALLEST_VALUE:g}."
            )
        if trained_on and 0 < spread < LEAST_SPREAD * size:
            raise FitError(
                f"{names[index]} spans {spread:.3g} around {low:.6g}, within the rounding of double precision: "
                "subtract a constant, or leave it out."
            )
