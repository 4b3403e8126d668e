"""A case: everything the doctor knows about a run, measured on first use."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import torch
from omegaconf import OmegaConf
from torch import Tensor

from fit.catalog.optimizers import State
from fit.data.dataset import Rows
from fit.data.problem import Problem
from fit.doctor.measurements.attainable import Attainable, estimate_attainable, sample_rows
from fit.doctor.measurements.loss_curve import LossCurve
from fit.doctor.measurements.network import MOST_MEASURED_ROWS, MeasuredNetwork
from fit.doctor.measurements.noise import Structure, ratio_at_least, structure_of
from fit.doctor.measurements.outliers import inlier_errors, outliers_by_targets, relative_error
from fit.doctor.settings import Settings
from fit.doctor.thresholds import (
    CERTAIN_FACTOR,
    FEW_ROWS,
    GOOD_NRMSE,
    NEARLY_GOOD_NRMSE,
    NOISE_ROOM,
    NOTHING_NRMSE,
    RISEN,
    SETTLED,
    USEFUL_NRMSE,
)
from fit.evaluation.floor import floor
from fit.folder import finite_or_infinity
from fit.model.architecture import MLP
from fit.training.recipe import build_schedule


@dataclass(frozen=True, eq=False)
class Case:
    """A run: its settings and data and, once trained, its weights, optimizer state, history and metrics.

    `theta` is `[parameters]`; `time_limit` is how many seconds the whole diagnosis may take.
    """

    cfg: Settings
    problem: Problem
    theta: Tensor | None = None
    state: State = field(default_factory=dict)
    history: Sequence[Mapping[str, float]] = ()
    metrics: Mapping[str, object] = field(default_factory=dict)
    time_limit: float = 0.5

    @property
    def trained(self) -> bool:
        """Whether the run has been trained."""
        return self.theta is not None

    @property
    def diverged(self) -> bool:
        """Whether the loss stopped being finite."""
        return bool(self.metrics.get("diverged"))

    @property
    def stopped_early(self) -> bool:
        """Whether early stopping ended the run."""
        return self.trained and not self.diverged and int(str(self.metrics["epochs"])) < self.cfg.trainer.max_epochs

    @cached_property
    def scaled(self) -> Rows:
        """The training rows as the network sees them."""
        return self.problem.scaled

    @property
    def mlp(self) -> MLP | None:
        """The layers of the network; None of a module of a user's own."""
        model = self.network.model
        return model if isinstance(model, MLP) else None

    @property
    def affine(self) -> bool:
        """Whether the model is an affine function, whatever its weights."""
        return self.network.model.affine

    @cached_property
    def inlier_targets(self) -> Tensor:
        """The scaled targets `[rows, targets]`, without outliers."""
        train = self.problem.train
        has_outliers = self.measured and bool(outliers_by_targets(train).any())
        return self.scaled.targets[~self.attainable.outliers] if has_outliers else self.scaled.targets

    @cached_property
    def network(self) -> MeasuredNetwork:
        """The network, on which the doctor measures curvature, gradients and units."""
        theta = None if self.diverged else self.theta
        return MeasuredNetwork(self.cfg, self.scaled, theta, self.state, self.problem.dataset.batch_size)

    @property
    def steps_per_epoch(self) -> int:
        """Number of batches in a pass."""
        rows = len(self.problem.train.inputs)
        return -(-rows // min(self.problem.dataset.batch_size or rows, rows))

    @cached_property
    def robust(self) -> bool:
        """Whether outliers are left out of the errors: a robust loss is not to fit them."""
        return self.network.loss.kind.robust

    def errors(self, region: str) -> list[float]:
        """Return each target's RMSE in a region over its standard deviation `[targets]`; infinite if it is unknown.

        For measured data the deviation is that of all rows, as a few held-out rows estimate it poorly. Where the
        function is known it is that of the region's own rows, if they vary.
        """
        if self.robust and not self.diverged and self.attainable.outliers.any():
            rows = sample_rows(
                self.problem.train if region == "train" else self.problem.fresh[region], MOST_MEASURED_ROWS
            )
            return inlier_errors(self.errors_on(rows), rows.targets, self.problem.train.targets)
        by_target = self.metrics["targets"]
        assert isinstance(by_target, Mapping)
        train, fresh = self.problem.train, list(self.problem.fresh.values())
        parts = [train, *fresh] if self.measured else [train] if region == "train" else fresh
        spread, train_spread = (
            targets.std(0, correction=0) for targets in (torch.cat([each.targets for each in parts]), train.targets)
        )
        spreads = torch.where(spread > 0, spread, train_spread).tolist()
        errors = [finite_or_infinity(each.get(f"{region}/rmse")) for each in by_target.values()]
        return [relative_error(error, spread) for error, spread in zip(errors, spreads, strict=True)]

    @property
    def measured(self) -> bool:
        """Whether the data were measured, so that the true function is unknown."""
        return not self.problem.dataset.knows_truth

    @property
    def val_regions(self) -> list[str]:
        """The names of the validation regions."""
        return list(self.problem.fresh)

    @property
    def judged_regions(self) -> list[str]:
        """The regions that decide whether a fit is good; with few held-out rows, the training rows too."""
        few = self.measured and sum(len(rows.inputs) for rows in self.problem.fresh.values()) < FEW_ROWS
        return [*self.val_regions, "train"] if few else self.val_regions

    @cached_property
    def worst_error(self) -> float:
        """The largest error of any target in any judged region, over its deviation; infinite if the run diverged."""
        return math.inf if self.diverged else max(max(self.errors(region)) for region in self.judged_regions)

    def worst_of(self, robust: bool) -> float:
        """Return the same with outliers left out or not, whatever the loss."""
        if robust == self.robust:
            return self.worst_error
        other = replace(self)
        vars(other).update(robust=robust, network=self.network)
        return other.worst_error

    @cached_property
    def train_error(self) -> float:
        """The largest error of any target on the training rows, over its standard deviation."""
        return max(self.errors("train"))

    @property
    def attainable(self) -> Attainable:
        """How well the inputs can explain the targets, whatever the network."""
        return estimate_attainable(self.problem)

    @cached_property
    def noise(self) -> Tensor | None:
        """The noise over each target's standard deviation `[targets]`; None if it is unknown."""
        noise = getattr(self.problem.dataset, "noise", None)
        return None if noise is None else float(noise) / self.problem.train.targets.std(0, correction=0)

    @cached_property
    def good(self) -> bool:
        """Whether the fit is good: its errors are small or noise, and an affine model has converged."""
        targets = self.problem.train.targets
        if not self.trained or self.diverged or self.excess > 1 or bool((targets.amin(0) == targets.amax(0)).all()):
            return False
        errors = ((target, error) for region in self.judged_regions for target, error in enumerate(self.errors(region)))
        return all(error <= GOOD_NRMSE or self.is_noise(error, target) for target, error in errors)

    def is_noise(self, error: float, target: int) -> bool:
        """Whether a target's error is noise: no larger than the known noise, or without structure if that is unknown.

        Measured errors are noise if there are rows enough to tell, if a smooth function of the inputs explains next to
        nothing of them, if they are the same on rows held out and trained on, and if they leave something explained.
        """
        if self.noise is not None:
            noise = float(self.noise[target])
            return error <= NOISE_ROOM * noise and noise < NOTHING_NRMSE
        enough = not self.measured or len(self.problem.train.inputs) >= FEW_ROWS
        alike = self.generalization_gap(target) < CERTAIN_FACTOR and self.val_loss_growth_limit <= RISEN
        if not (enough and alike and error < USEFUL_NRMSE):
            return False
        return float(self.structure.left[target]) >= min(NOTHING_NRMSE, float(self.structure.by_chance[target]))

    @cached_property
    def structure(self) -> Structure:
        """What a smooth function of the inputs explains of the errors."""
        rows = [self.problem.train, *(self.problem.fresh.values() if self.measured else ())]
        return structure_of(
            Rows(torch.cat([each.inputs for each in rows]), torch.cat([self.errors_on(each) for each in rows]))
        )

    def generalization_gap(self, target: int) -> float:
        """Return how many times larger a target's error is on rows held out than on those trained on, at least."""
        train, val = (self.errors(region)[target] for region in ("train", self.val_regions[0]))
        rows = (len(self.problem.train.inputs), len(self.problem.fresh[self.val_regions[0]].inputs))
        return ratio_at_least(val, train, *rows)

    @property
    def nearly_good(self) -> bool:
        """Whether the fit is so near to good that only certain findings are reported."""
        return not self.diverged and self.excess <= 1 and self.worst_error <= NEARLY_GOOD_NRMSE

    @cached_property
    def val_loss_growth(self) -> float:
        """The final validation loss over its lowest."""
        best, last = (finite_or_infinity(self.metrics.get(key)) for key in ("best/val/loss", "val/loss"))
        return last / best if best > 0 else 1.0

    @cached_property
    def val_loss_growth_limit(self) -> float:
        """The same, two standard errors lower, as it is measured on few rows."""
        return self.val_loss_growth * math.exp(-2 * math.sqrt(2 / len(self.problem.fresh[self.val_regions[0]].inputs)))

    @cached_property
    def floor(self) -> float | None:
        """The lowest training loss that a model of this shape can reach; None if it is unknown."""
        return floor(self.network.model, self.cfg.loss, self.scaled)

    @cached_property
    def excess(self) -> float:
        """An affine model's training loss above the lowest possible, over what is negligible; above 1: not converged.

        0 for other models, and with penalties, which change the lowest loss.
        """
        cfg = self.cfg
        penalized = cfg.regularization.l1 or cfg.regularization.l2 or cfg.optimizer.get("weight_decay")
        if not self.affine or self.floor is None or not self.trained or penalized:
            return 0.0
        negligible = SETTLED * self.floor + GOOD_NRMSE**2 * self.baseline_loss
        return (self.train_loss - self.floor) / negligible if negligible > 0 else 0.0

    @property
    def train_loss(self) -> float:
        """The final loss on the training rows."""
        return finite_or_infinity(self.metrics.get("train/loss"))

    @cached_property
    def baseline_loss(self) -> float:
        """The loss of always predicting the training mean."""
        loss, targets = self.network.loss, self.scaled.targets
        error = (targets.mean(0) - targets).unsqueeze(0)
        return float(loss.value(error).sum()) * loss.weight(error)

    @property
    def no_better_than_mean(self) -> bool:
        """Whether always predicting the mean is about as good."""
        return self.diverged or self.train_loss > 0.9 * self.baseline_loss

    @cached_property
    def loss_curve(self) -> LossCurve:
        """How the training loss fell."""
        return LossCurve.of(self.history, self.floor if self.affine and self.floor is not None else 0.0)

    @cached_property
    def val_loss_curve(self) -> LossCurve:
        """How the validation loss fell."""
        return LossCurve.of(self.history, 0.0, "val/loss")

    @cached_property
    def mean_rate_fraction(self) -> float:
        """The schedule's mean learning rate over optimizer.lr."""
        schedule = build_schedule(OmegaConf.create({"scheduler": self.cfg.scheduler.to_dict()}))
        factors = schedule.factors(range(max(1, self.loss_curve.epochs)), 1, self.cfg.trainer.max_epochs)
        return float(factors.mean())

    @cached_property
    def residuals(self) -> Tensor:
        """Errors on a sample of the training rows, over each target's standard deviation `[rows, targets]`."""
        rows = sample_rows(self.problem.train, MOST_MEASURED_ROWS)
        return self.errors_on(rows) / self.problem.train.targets.std(0, correction=0)

    def errors_on(self, rows: Rows) -> Tensor:
        """Return predictions minus targets `[rows, targets]`, in their own units."""
        return self.predict(rows.inputs) - rows.targets

    def predict(self, inputs: Tensor) -> Tensor:
        """Return the trained network's predictions `[rows, targets]` for inputs `[rows, inputs]`, both in own units."""
        with torch.no_grad():
            outputs = self.network.end(self.problem.input_scaler.transform(inputs).unsqueeze(0))[0]
        return self.problem.target_scaler.inverse_transform(outputs)
