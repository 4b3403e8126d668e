"""A case: everything that is known of a run, measured when a finding first asks for it."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import torch
from omegaconf import DictConfig
from torch import Tensor

from fit.data.datamodule import Problem
from fit.data.dataset import Rows
from fit.data.scalers import Scaler
from fit.doctor.attainable import Attainable, attainable, sample
from fit.doctor.curvature import hessian_product, largest_eigenvalue
from fit.doctor.moments import second_moments
from fit.doctor.progress import Progress
from fit.doctor.stability import DIVISORS, State, is_descent, limit, name
from fit.doctor.thresholds import GOOD_NRMSE, GRAY_NRMSE, NOISE_ROOM, NOTHING_NRMSE, RISEN, SETTLED
from fit.doctor.units import Layer, look_at_units
from fit.measure.floor import Shape, floor
from fit.measure.losses import LOSSES, Loss
from fit.model.stack import Stack
from fit.model.start import build_stack

# Rows on which curvature and units are measured, and products of rows and weights that one pass may take.
MOST_ROWS = 1024
MOST_PRODUCTS = 2e8
# Batches whose curvature is looked at.
BATCHES = 4
# Batches whose gradients are compared.
GRADIENTS = 16


@dataclass(frozen=True, eq=False)
class Case:
    """A run: its settings and data, and once it is trained its weights, its optimizer's state, looks and metrics.

    `seconds` is what the whole diagnosis may take.
    """

    cfg: DictConfig
    problem: Problem
    theta: Tensor | None = None
    state: State = field(default_factory=dict)
    history: Sequence[Mapping[str, float]] = ()
    metrics: Mapping[str, object] = field(default_factory=dict)
    seconds: float = 0.5

    @property
    def trained(self) -> bool:
        """Whether there is more than what was asked for."""
        return self.theta is not None

    @property
    def diverged(self) -> bool:
        """Whether the loss stopped being finite."""
        return bool(self.metrics.get("diverged"))

    @property
    def loss(self) -> Loss:
        """What is minimized."""
        return LOSSES[self.cfg.loss]

    @property
    def affine(self) -> bool:
        """Whether the model is an affine function, whatever its weights."""
        return self.shape.affine

    @cached_property
    def shape(self) -> Shape:
        """What decides the floor of the model."""
        model = self.cfg.model
        return Shape(list(model.hidden), model.activation, model.output_activation, model.bias)

    @cached_property
    def scaled(self) -> Rows:
        """The training rows as the network sees them."""
        train = self.problem.train
        return Rows(
            self.problem.input_scaler.transform(train.inputs), self.problem.target_scaler.transform(train.targets)
        )

    @cached_property
    def rows(self) -> Rows:
        """So many of them as are measured on."""
        return sample(self.scaled, max(16, min(MOST_ROWS, int(MOST_PRODUCTS / self.start.theta.shape[1]))))

    @property
    def sizes(self) -> tuple[int, int]:
        """Number of inputs and of targets."""
        return self.problem.train.inputs.shape[1], self.problem.train.targets.shape[1]

    @cached_property
    def start(self) -> Stack:
        """The network before its first step."""
        return build_stack([self.cfg], self.sizes, torch.float64)

    @cached_property
    def end(self) -> Stack:
        """The network as it was trained, or before its first step where it diverged or is not trained yet."""
        if self.theta is None or not self.theta.isfinite().all():
            return self.start
        stack = build_stack([self.cfg], self.sizes, torch.float64)
        stack.theta.data.copy_(self.theta.unsqueeze(0))
        return stack

    def errors(self, region: str) -> list[float]:
        """Return the RMSE of every target in a region over its spread, infinite where it is not known.

        The spread is that of the training rows for these, else that of all rows judged on together.
        """
        targets = self.metrics.get("targets")
        assert isinstance(targets, Mapping)
        rows = [self.problem.train] if region == "train" else list(self.problem.fresh.values())
        spreads = torch.cat([each.targets for each in rows]).std(0, correction=0).tolist()
        errors = [finite(each.get(f"{region}/rmse")) for each in targets.values()]
        return [
            error / spread if spread > 0 else math.inf * (error > 0) if error > 0 else 0.0
            for error, spread in zip(errors, spreads, strict=True)
        ]

    @property
    def regions(self) -> list[str]:
        """The regions judged on, without the training rows."""
        return list(self.problem.fresh)

    @property
    def worst(self) -> float:
        """The largest nrmse of any target in any region judged on."""
        return max(max(self.errors(region)) for region in self.regions)

    @cached_property
    def attainable(self) -> Attainable:
        """What can be explained of the targets at all."""
        return attainable(self.problem)

    @cached_property
    def noise(self) -> Tensor:
        """What no network can explain, over each target's spread `[targets]`: known, or estimated from the rows."""
        spread = self.problem.train.targets.std(0, correction=0)
        dataset = self.problem.dataset
        if hasattr(dataset, "noise"):
            return float(dataset.noise) / spread
        return self.attainable.smooth

    @cached_property
    def good(self) -> bool:
        """Whether there is nothing to explain: errors are small, or those of the noise, and an affine fit settled."""
        if not self.trained or self.diverged or self.excess > 1:
            return False
        for region in self.regions:
            for target, error in enumerate(self.errors(region)):
                if error > GOOD_NRMSE and not self.is_noise(error, target):
                    return False
        return True

    def is_noise(self, error: float, target: int) -> bool:
        """Whether a target's error is no larger than what no network can explain, nor was once far smaller."""
        noise = float(self.noise[target])
        known = hasattr(self.problem.dataset, "noise")
        return error <= NOISE_ROOM * noise and noise < NOTHING_NRMSE and (known or self.rise < RISEN)

    @cached_property
    def rise(self) -> float:
        """How many times larger the validation loss is at the end than it was at its lowest."""
        best, last = (finite(self.metrics.get(key)) for key in ("best/val/loss", "val/loss"))
        return last / best if best > 0 else 1.0

    @cached_property
    def moved(self) -> float:
        """How far training moved the weights, over their size at the start."""
        start = self.start.theta.data
        return float(torch.linalg.vector_norm(self.end.theta.data - start) / torch.linalg.vector_norm(start))

    @property
    def gray(self) -> bool:
        """Whether errors are so near to good that only a cause which is certain is worth a word."""
        return not self.diverged and self.excess <= 1 and self.worst <= GRAY_NRMSE

    @cached_property
    def floor(self) -> float | None:
        """The lowest loss on the training rows that the model could reach, where it is known."""
        return floor(self.shape, self.cfg.loss, self.scaled)

    @cached_property
    def excess(self) -> float:
        """How far an affine model's loss is above the lowest possible, over what nobody would mind."""
        if not self.affine or self.floor is None or not self.trained:
            return 0.0
        room = SETTLED * self.floor + GOOD_NRMSE**2 * self.spread
        return (finite(self.metrics.get("train/loss")) - self.penalty - self.floor) / room if room > 0 else 0.0

    @property
    def penalty(self) -> float:
        """What regularization keeps a loss from reaching is not looked for: 0 without it."""
        regularization = self.cfg.regularization
        return math.inf if regularization.l1 or regularization.l2 or self.cfg.optimizer.get("weight_decay") else 0.0

    @cached_property
    def spread(self) -> float:
        """The loss of always answering the training mean."""
        targets = self.scaled.targets
        error = (targets.mean(0) - targets).unsqueeze(0)
        return float(self.loss.value(error).sum()) * self.loss.weight(error)

    @cached_property
    def progress(self) -> Progress:
        """How the loss fell."""
        lowest = self.floor if self.affine and self.floor is not None else 0.0
        return Progress.of(self.history, lowest)

    def sharpness(self, stack: Stack, divisor: Tensor | None = None) -> float:
        """Return the largest eigenvalue of the loss's Hessian, after an optimizer's division by `divisor`.

        Of batches it is the largest among a few of them: steps along a batch's gradient follow its curvature.
        """
        size = self.problem.dataset.batch_size
        batched = size is not None and size < len(self.scaled.inputs)
        if (
            divisor is None
            and not batched
            and self.affine
            and len(stack.sizes) == 2
            and self.cfg.loss.startswith("mse")
        ):
            return second_moments(self.scaled.inputs, self.cfg.model.bias).high * self.moment_factor
        inputs, targets = (each.unsqueeze(0) for each in self.rows)
        if batched:
            order = torch.randint(inputs.shape[1], (BATCHES, size or 1), generator=torch.Generator().manual_seed(0))
            inputs, targets = inputs[0][order], targets[0][order]
            stack = self.copies(stack, BATCHES)
        product = hessian_product(stack, inputs, targets, self.loss, self.cfg.regularization.l2)
        if not self.loss.mean and not batched:
            part = len(self.scaled.inputs) / inputs.shape[1]
            whole = product
            product = lambda vector: part * whole(vector)  # noqa: E731
        if divisor is not None:
            scale = divisor.rsqrt().unsqueeze(0)
            plain = product
            product = lambda vector: scale * plain(scale * vector)  # noqa: E731
        return float(largest_eigenvalue(product, stack.theta.data, self.seconds / 4).max())

    @property
    def moment_factor(self) -> float:
        """What the second moments of the inputs are multiplied by in the Hessian of an affine model."""
        rows, targets = self.scaled.targets.shape
        return 2 / targets if self.loss.mean else 2.0 * rows

    @cached_property
    def start_sharpness(self) -> float:
        """λmax before the first step."""
        return self.sharpness(self.start)

    @cached_property
    def start_limit(self) -> float | None:
        """The largest stable learning rate at the start; None where the optimizer has yet to see gradients."""
        return limit(self.cfg.optimizer, self.start_sharpness) if is_descent(self.cfg.optimizer) else None

    @cached_property
    def end_limit(self) -> float | None:
        """The largest stable learning rate at the end; None where it is not known."""
        if not self.trained or self.diverged:
            return None
        if is_descent(self.cfg.optimizer):
            return limit(self.cfg.optimizer, self.sharpness(self.end))
        divide = DIVISORS.get(name(self.cfg.optimizer))
        if divide is None or not self.state:
            return None
        divisor = divide(self.state, self.cfg.optimizer)
        if not bool((divisor > 0).all()):
            divisor = divisor.clamp(min=1e-12)
        return limit(self.cfg.optimizer, self.sharpness(self.end, divisor))

    @cached_property
    def gradient_noise(self) -> float:
        """How many times larger the difference between batches' gradients is than the gradient of all rows, squared."""
        size = self.problem.dataset.batch_size
        if size is None or size >= len(self.scaled.inputs):
            return 0.0
        order = torch.randint(len(self.rows.inputs), (GRADIENTS, size), generator=torch.Generator().manual_seed(0))
        whole = self.gradients(self.rows.inputs[None], self.rows.targets[None])
        parts = self.gradients(self.rows.inputs[order], self.rows.targets[order])
        return float((parts - whole).square().sum(1).mean() / whole.square().sum().clamp(min=1e-300))

    def gradients(self, inputs: Tensor, targets: Tensor) -> Tensor:
        """Return the mean gradient at the end on each of some batches `[batches, rows, columns]`."""
        stack = self.copies(self.end, len(inputs))
        with torch.inference_mode(False), torch.no_grad():
            gradients = torch.zeros_like(stack.theta.data)
            layers = stack.layers(stack.theta.data)
            traces = stack.trace(inputs, layers)
            derivative = self.loss.derivative(traces[-1].values - targets) / targets[0].numel()
            stack.backward(traces, derivative, layers, stack.layers(gradients))
        return gradients

    def copies(self, stack: Stack, count: int) -> Stack:
        """Return a stack of several times the same network."""
        model = self.cfg.model
        theta = stack.theta.data.expand(count, -1).contiguous()
        return Stack(theta, stack.sizes, model.activation, model.output_activation, bias=stack.bias)

    @cached_property
    def start_units(self) -> list[Layer]:
        """The hidden layers before the first step."""
        return look_at_units(self.start, self.rows, self.loss, self.cfg.model.activation)

    @cached_property
    def end_units(self) -> list[Layer]:
        """The hidden layers at the end."""
        return look_at_units(self.end, self.rows, self.loss, self.cfg.model.activation)

    @cached_property
    def condition(self) -> float:
        """The condition number of the inputs' second moments, as the network sees them, with the bias's one."""
        return second_moments(self.scaled.inputs, self.cfg.model.bias).condition

    @cached_property
    def standardized_condition(self) -> float:
        """The same if the inputs were standardized."""
        inputs = self.problem.train.inputs
        return second_moments(Scaler.fit("standardize", inputs).transform(inputs), self.cfg.model.bias).condition

    def predict(self, inputs: Tensor) -> Tensor:
        """Map inputs `[rows, inputs]` to targets `[rows, targets]`, both in own units."""
        with torch.no_grad():
            outputs = self.end(self.problem.input_scaler.transform(inputs).unsqueeze(0))[0]
        return self.problem.target_scaler.inverse_transform(outputs)

    @cached_property
    def residuals(self) -> Tensor:
        """Errors on the training rows over each target's spread `[rows, targets]`."""
        rows = sample(self.problem.train, MOST_ROWS)
        spread = self.problem.train.targets.std(0, correction=0)
        return (self.predict(rows.inputs) - rows.targets) / spread


def finite(value: object) -> float:
    """Return a number of metrics.json, which has null for what is not finite."""
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else math.inf
