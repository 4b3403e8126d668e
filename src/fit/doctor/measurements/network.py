"""Measurements on the network of a case, before its first step and after its last."""

from functools import cached_property

import torch
from torch import Tensor

from fit.catalog.optimizers import State, optimizer_of
from fit.data.dataset import Rows
from fit.data.scalers import Scaler
from fit.doctor.measurements.attainable import sample_rows
from fit.doctor.measurements.curvature import MOST_HESSIAN_PRODUCTS, hessian_product, largest_eigenvalue
from fit.doctor.measurements.moments import second_moments
from fit.doctor.measurements.units import LayerStatistics, measure_layers
from fit.doctor.settings import Settings
from fit.evaluation.losses import find_loss
from fit.model.architecture import Networks, architecture
from fit.model.stack import Stack

# The most rows to measure on, and the most multiplications (rows times weights) of one pass.
MOST_MEASURED_ROWS = 1024
MOST_MULTIPLICATIONS = 2e7
# The most multiplications for one curvature over all Hessian products, and the fewest such products.
CURVATURE_MULTIPLICATIONS = 1e8
LEAST_HESSIAN_PRODUCTS = 6
# How many batches the curvature is measured on, and how many gradients are compared.
CURVATURE_BATCHES = 4
GRADIENT_BATCHES = 16


class MeasuredNetwork:
    """A network and its scaled training rows; `theta` `[parameters]` and `state` are those after the last step.

    `batch_size` is None if every step takes all rows.
    """

    def __init__(self, cfg: Settings, scaled: Rows, theta: Tensor | None, state: State, batch_size: int | None) -> None:
        """Keep what is known; without finite `theta` the network at the end is that at the start."""
        self.cfg, self.scaled, self.theta, self.state = cfg, scaled, theta, state
        self.batch_size = batch_size if batch_size is not None and batch_size < len(scaled.inputs) else None
        self.loss = find_loss(cfg.loss)
        self.optimizer = optimizer_of(cfg.optimizer)
        self.model = architecture(cfg.model, scaled.inputs.shape[1], scaled.targets.shape[1])

    def start_values(self, *seeds: int) -> Tensor:
        """Return the start values of each seed `[seeds, parameters]`."""
        return self.model.starts([self.cfg.model] * len(seeds), seeds)

    @cached_property
    def start(self) -> Networks:
        """The network before its first step."""
        return self.stack(self.start_values(self.cfg.seed).double())

    @cached_property
    def end(self) -> Networks:
        """The network after its last step."""
        if self.theta is None or not self.theta.isfinite().all():
            return self.start
        return self.stack(self.theta.unsqueeze(0))

    def stack(self, theta: Tensor) -> Networks:
        """Return a stack of networks of this shape with weights `[members, parameters]`."""
        return self.model.stack(theta)

    @cached_property
    def rows(self) -> Rows:
        """The sample of rows to measure on."""
        return sample_rows(self.scaled, max(16, min(MOST_MEASURED_ROWS, int(MOST_MULTIPLICATIONS / self.parameters))))

    @property
    def parameters(self) -> int:
        """Number of weights and biases."""
        return self.start.theta.shape[1]

    @cached_property
    def weight_size(self) -> float:
        """The root mean square of the start values."""
        return float(self.start.theta.data.square().mean().sqrt())

    @cached_property
    def relative_movement(self) -> float:
        """The norm of the change of the weights over the norm of the start values."""
        start = self.start.theta.data
        return float(torch.linalg.vector_norm(self.end.theta.data - start) / torch.linalg.vector_norm(start))

    def batches(self, count: int) -> Rows:
        """Return random batches `[count, rows, columns]`, or all rows as one."""
        if self.batch_size is None:
            return Rows(*(each.unsqueeze(0) for each in self.rows))
        generator = torch.Generator().manual_seed(0)
        order = torch.randint(len(self.rows.inputs), (count, self.batch_size), generator=generator)
        return Rows(*(each[order] for each in self.rows))

    def sharpness(self, stack: Networks, divisor: Tensor | None = None) -> float:
        """Return the largest eigenvalue of the loss's Hessian, after an optimizer's division by `divisor`.

        With batches it is the largest over a few of them, as each step follows one batch. It is exact for an affine
        model's squared error over all rows.
        """
        quadratic = self.model.affine and len(self.model.sizes) == 2 and self.loss.kind.squared
        if divisor is None and self.batch_size is None and quadratic:
            return second_moments(self.scaled.inputs, self.bias).high * self.moment_factor
        inputs, targets = self.batches(CURVATURE_BATCHES)
        theta = stack.theta.data.expand(len(inputs), -1).contiguous()
        product = hessian_product(self.stack(theta), inputs, targets, self.loss, self.cfg.regularization.l2)
        part = 1.0 if self.loss.kind.mean or self.batch_size else len(self.scaled.inputs) / inputs.shape[1]
        scale = torch.ones_like(theta) if divisor is None else divisor.clamp(min=1e-12).rsqrt().unsqueeze(0)
        most = int(CURVATURE_MULTIPLICATIONS / (inputs.shape[0] * inputs.shape[1] * self.parameters))
        most = max(LEAST_HESSIAN_PRODUCTS, min(MOST_HESSIAN_PRODUCTS, most))
        values = largest_eigenvalue(lambda vector: part * scale * product(scale * vector), theta, most)
        return float(values.max())

    @property
    def moment_factor(self) -> float:
        """The factor between the inputs' second moments and the Hessian of an affine model's squared error."""
        rows, targets = self.scaled.targets.shape
        return 2 / targets if self.loss.kind.mean else 2.0 * rows

    @cached_property
    def condition_number(self) -> float:
        """The condition number of the inputs' second moments, with the bias's one."""
        return second_moments(self.scaled.inputs, self.bias).condition

    @cached_property
    def standardized_condition_number(self) -> float:
        """The same if the inputs were standardized."""
        inputs = self.scaled.inputs
        return second_moments(Scaler.fit("standardize", inputs).transform(inputs), self.bias).condition

    @property
    def bias(self) -> bool:
        """Whether layers have biases, as a module of a user's own is taken to have."""
        return bool(self.cfg.model.get("bias", True))

    @cached_property
    def start_sharpness(self) -> float:
        """λmax before the first step."""
        return self.sharpness(self.start)

    @cached_property
    def start_limit(self) -> float | None:
        """The largest stable learning rate at the start; None for adaptive optimizers, which have no state yet."""
        return self.limit(self.start_sharpness) if self.optimizer.descent else None

    @cached_property
    def end_limit(self) -> float | None:
        """The largest stable learning rate at the end; None if it is unknown."""
        if self.end is self.start:
            return None
        if self.optimizer.descent:
            return self.limit(self.sharpness(self.end))
        if self.optimizer.divisor is None or not self.state:
            return None
        return self.limit(self.sharpness(self.end, self.optimizer.divisor(self.state, self.cfg.optimizer)))

    def limit(self, sharpness: float) -> float:
        """Return the learning rate beyond which steps along the steepest direction, of curvature `sharpness`, grow."""
        return self.optimizer.limit(self.cfg.optimizer) / sharpness if sharpness > 0 else float("inf")

    @cached_property
    def start_layers(self) -> list[LayerStatistics]:
        """Statistics of the layers before the first step."""
        return self.units(self.start)

    @cached_property
    def end_layers(self) -> list[LayerStatistics]:
        """Statistics of the layers after the last step."""
        return self.units(self.end)

    def units(self, stack: Networks) -> list[LayerStatistics]:
        """Measure the layers of a network; a module of a user's own has none that are known."""
        if not isinstance(stack, Stack):
            return []
        return measure_layers(stack, self.rows, self.loss, self.cfg.model.activation)

    @cached_property
    def gradient_noise(self) -> float:
        """The mean squared deviation of batches' gradients over the squared gradient of all rows."""
        if self.batch_size is None:
            return 0.0
        whole = self.gradients(Rows(*(each.unsqueeze(0) for each in self.rows)))
        parts = self.gradients(self.batches(GRADIENT_BATCHES))
        differ, agree = (parts - whole).square().sum(1).mean(), whole.square().sum()
        return float(differ / agree) if float(agree) > 1e-20 else 0.0

    def gradients(self, batches: Rows) -> Tensor:
        """Return the final gradient of the mean loss on each batch `[batches, parameters]`."""
        inputs, targets = batches
        with torch.inference_mode(False), torch.enable_grad():
            theta = self.end.theta.detach().expand(len(inputs), -1).clone().requires_grad_()
            error = self.stack(theta).outputs(theta, inputs.clone()) - targets.clone()
            total = self.loss.value(error).sum() / targets[0].numel()
            (gradients,) = torch.autograd.grad(total, theta)
        return gradients
