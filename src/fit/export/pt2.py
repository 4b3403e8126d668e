"""A torch program, for `torch.export.load(FILE).module()`."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.export import Dim

from fit.export.network import DenseLayer, ExportNetwork, Numbers
from fit.model.functions import find_function

DYNAMIC_ROWS = ({0: Dim("rows")},)


class UnscaledNetwork(nn.Module):
    """A network that scales its inputs and outputs, so that both are in the data's own units."""

    def __init__(self, network: ExportNetwork, kernels: Mapping[str, Callable[[Tensor], Tensor]] | None = None) -> None:
        """Take the network, and what computes an activation where that is not torch's own function."""
        super().__init__()
        self.scales = nn.ParameterList(map(constant, (*network.input_scaler, *network.target_scaler)))
        self.weights = nn.ParameterList(constant(layer.weight) for layer in network.layers)
        self.biases = nn.ParameterList(constant(bias_or_zeros(layer)) for layer in network.layers)
        self.functions = [(kernels or {}).get(layer.activation, kernel(layer)) for layer in network.layers]
        self.modules_of_own = nn.ModuleList(network.modules)
        self.dtype = network.dtype

    def forward(self, inputs: Tensor) -> Tensor:
        """Map inputs `[rows, inputs]` to targets `[rows, targets]`, both float64."""
        input_center, input_factor, target_center, target_factor = self.scales
        values = ((inputs - input_center) * input_factor).to(self.dtype)
        for weight, bias, function in zip(self.weights, self.biases, self.functions, strict=True):
            # Not `@`: onnxruntime fuses a product with a preceding scale, and rounds the scale to float32.
            values = torch.addmm(bias, values, weight)
            values = values if function is None else function(values)
        if len(self.modules_of_own):
            values = torch.stack([module(values) for module in self.modules_of_own]).mean(0)
        targets: Tensor = values.double() / target_factor + target_center
        return targets


def kernel(layer: DenseLayer) -> Callable[[Tensor], Tensor] | None:
    """Return what computes a layer's activation; None where that is nothing."""
    function = find_function(layer.activation)
    return None if function is None else function.forward


def bias_or_zeros(layer: DenseLayer) -> Tensor:
    """Return the bias of a layer, zeros if it has none."""
    return torch.zeros_like(layer.weight[0]) if layer.bias is None else layer.bias


def constant(values: Tensor) -> nn.Parameter:
    """Return a parameter that is not trained."""
    return nn.Parameter(values, requires_grad=False)


def example_inputs(network: ExportNetwork) -> Tensor:
    """Return inputs `[2, inputs]` for tracing; torch would specialize a single row."""
    return torch.stack([network.low, network.high])


def write(network: ExportNetwork, path: Path) -> None:
    """Write the program, with a description of its columns."""
    program = torch.export.export(UnscaledNetwork(network), (example_inputs(network),), dynamic_shapes=DYNAMIC_ROWS)
    for node in program.graph.nodes:  # would contain this machine's paths
        node.meta.pop("stack_trace", None)
    torch.export.save(program, path, extra_files={"columns.txt": "\n".join(network.describe())})


def predict(network: ExportNetwork, path: Path, samples: Sequence[Numbers]) -> list[Numbers]:
    """Load the program and run it."""
    module = torch.export.load(path).module()
    return [module(torch.from_numpy(each)).numpy() for each in samples]


def usage(network: ExportNetwork, path: Path) -> str:
    """Return one line on how to use the file."""
    return f'torch.export.load("{path.name}").module()(inputs), float64 [rows, {len(network.inputs)}]; needs torch'
