"""A module of a user's own: any number of them as one stack, by torch.func."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from itertools import accumulate, pairwise
from math import inf
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state, vmap

from fit.errors import FitError
from fit.settings.build import import_named

ALLOWED = "give MODULE.CLASS of a torch.nn.Module made from its numbers of inputs and outputs"


class OwnModule:
    """The networks that `module(inputs, outputs, **settings)` returns."""

    affine = False
    output_range = (-inf, inf)

    def __init__(self, module: str, settings: Mapping[str, Any], inputs: int, outputs: int) -> None:
        """Take the module's name as MODULE.CLASS and its settings."""
        self.module, self.settings = module, settings
        self.sizes = (inputs, outputs)

    @cached_property
    def template(self) -> nn.Module:
        """One such module; raise FitError if it cannot be made, or be trained as a stack."""
        template = self.make(0)
        parameters = dict(template.named_parameters())
        if not parameters:
            raise FitError(f"model.module={self.module} has no parameters: there is nothing to train.")
        rows = torch.zeros(3, self.sizes[0])
        try:
            made = ModuleStack(template, torch.cat([each.flatten() for each in parameters.values()]).unsqueeze(0))
            shape = made(rows.unsqueeze(0)).shape
        except Exception as error:  # it is somebody's own code
            reason = " ".join(str(error).split())[:100]
            raise FitError(
                f"model.module={self.module} cannot be trained as a stack ({type(error).__name__}: {reason}): it must "
                "map [rows, inputs] to [rows, outputs], without random numbers such as Dropout's, running averages "
                "such as BatchNorm's, or branches that depend on numbers."
            ) from None
        if shape != (1, 3, self.sizes[1]):
            raise FitError(
                f"model.module={self.module} maps [3, {self.sizes[0]}] to {list(shape[1:])}: "
                f"it must map [rows, {self.sizes[0]}] to [rows, {self.sizes[1]}]."
            )
        return template

    @property
    def parameters(self) -> int:
        """Number of weights and biases."""
        return sum(each.numel() for each in self.template.parameters())

    def make(self, seed: int) -> nn.Module:
        """Make the module with a seed of torch's own generator, which is left as it was."""
        kind = import_named("model.module", self.module, ALLOWED)
        if not callable(kind):
            raise FitError(f"model.module={self.module} is not allowed: {ALLOWED}.")
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            try:
                made = kind(*self.sizes, **self.settings)
            except Exception as error:  # it is somebody's own code
                raise FitError(
                    f"model.module={self.module} cannot be made of {self.sizes[0]} inputs, {self.sizes[1]} outputs "
                    f"and model.settings={dict(self.settings)} ({type(error).__name__}: {error})."
                ) from None
        if not isinstance(made, nn.Module):
            raise FitError(f"model.module={self.module} is not allowed: {ALLOWED}.")
        return made.float()

    def starts(self, models: Sequence[Mapping[str, Any]], seeds: Sequence[int]) -> Tensor:
        """Return the module's own start values `[members, parameters]`, drawn under `torch.manual_seed(seed)`."""
        names = dict(self.template.named_parameters())
        state, _ = stack_module_state([self.make(seed) for seed in seeds])
        return torch.cat([state[name].detach().flatten(1) for name in names], 1)

    def stack(self, theta: Tensor) -> "ModuleStack":
        """Return the networks whose weights are the rows of `theta`."""
        return ModuleStack(self.template, theta)

    def module_with(self, theta: Tensor) -> nn.Module:
        """Return the module with the weights `theta [parameters]`."""
        module, stack = self.make(0).to(theta.dtype), self.stack(theta.unsqueeze(0))
        module.load_state_dict({name: each[0] for name, each in stack.split(stack.theta.data).items()}, strict=False)
        return module.requires_grad_(False)

    def __str__(self) -> str:
        """Name the module with its settings."""
        given = "".join(f", {key}={value}" for key, value in self.settings.items())
        return f"{self.module}({self.sizes[0]}, {self.sizes[1]}{given})"


class ModuleStack(nn.Module):
    """Modules of one class, one per member, their parameters in one tensor `theta [members, parameters]`.

    A member's numbers are those of the same member alone but for rounding.
    """

    dropout = 0.0

    def __init__(self, template: nn.Module, theta: Tensor) -> None:
        """Take the module that is called with the parameters of each member."""
        super().__init__()
        self.theta = nn.Parameter(theta)
        self.shapes = {name: each.shape for name, each in template.named_parameters()}
        self.buffers_of_all = {name: each.to(theta) for name, each in template.named_buffers()}
        self._template = [template]  # in a list, or its own parameters would be the stack's

    @property
    def members(self) -> int:
        """Number of networks."""
        return self.theta.shape[0]

    @property
    def widest(self) -> int:
        """The most numbers that a network is taken to hold of a row at once."""
        return max(max(shape, default=1) for shape in self.shapes.values())

    @property
    def wide(self) -> bool:
        """Whether a library's products, with their threads, are the fastest: nobody has measured it."""
        return False

    def groups(self) -> dict[str, slice]:
        """Return where each parameter stands in a row of `theta`, by its name."""
        ends = accumulate((shape.numel() for shape in self.shapes.values()), initial=0)
        return {name: slice(start, end) for name, (start, end) in zip(self.shapes, pairwise(ends), strict=True)}

    def weights(self) -> dict[str, slice]:
        """Return where the parameters of two dimensions or more stand: others are biases and the like."""
        return {name: place for name, place in self.groups().items() if len(self.shapes[name]) > 1}

    def split(self, theta: Tensor) -> dict[str, Tensor]:
        """View a row of `theta` for each member as the parameters that it is made of."""
        return {name: theta[:, at].view(-1, *self.shapes[name]) for name, at in self.groups().items()}

    def outputs(self, theta: Tensor, inputs: Tensor) -> Tensor:
        """Map inputs to outputs with weights `theta [members, parameters]`, by which autograd can differentiate."""
        [template] = self._template
        shared = len(inputs) == 1 and len(theta) > 1
        call = vmap(
            lambda parameters, rows: functional_call(template, (parameters, self.buffers_of_all), (rows,)),
            in_dims=(0, None if shared else 0),
        )
        outputs: Tensor = call(self.split(theta), inputs[0] if shared else inputs)
        return outputs

    def forward(self, inputs: Tensor, members: slice = slice(None)) -> Tensor:
        """Map inputs `[members or 1, rows, inputs]` to outputs `[members, rows, outputs]`.

        With `members`, only those are computed.
        """
        return self.outputs(self.theta[members], inputs)
