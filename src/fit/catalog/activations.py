"""The activations: all that there is to know of each, in one entry; torch is handed in where one is computed.

A new activation is one entry here. Tests try it against autograd, in stacks, in the kernel and in every export.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Torch = Any  # the module, whose import takes a second that reading this table should not
Kernel = Callable[..., Any]  # from tensors to a tensor
Maker = Callable[[Torch], Kernel]


@dataclass(frozen=True)
class Activation:
    """A function of one number, as torch's own kernels and as text, and the range of its values.

    `backward` takes a loss's gradient after it and its inputs, or its outputs if `by_outputs`. `c` is an expression of
    x, `numpy` one of the array sums in which nothing overflows; a function of a user's own has neither. `kernel` is C
    in the vectors of kernel.c: it sets y, and its derivative d, from x. onnxruntime has
    some functions in float32 alone: `written_out` is one in operations that it has in float64 (constants as tensors
    where float32 has not all their digits, as the exporter rounds numbers to it); `in_float64` is False where there is
    none. `affine`: nothing is computed. `periodic`: the gain of start values is a frequency. `slow`: smoother ones
    train small networks faster.
    """

    forward: Maker
    backward: Maker
    c: str | None
    numpy: str | None
    kernel: str | None = None
    low: float = -math.inf
    high: float = math.inf
    by_outputs: bool = False
    written_out: Maker | None = None
    in_float64: bool = True
    affine: bool = False
    periodic: bool = False
    slow: bool = False

    @property
    def bounded(self) -> bool:
        """Whether its values are bounded on both sides."""
        return math.isfinite(self.low) and math.isfinite(self.high)


# selu's, to the last digit of a double (Klambauer et al., Self-Normalizing Neural Networks, 2017).
SCALE, ALPHA = 1.0507009873554804934, 1.6732632423543772848

# The minima of gelu, silu and mish are the roots of their derivatives, to the last digit of a double.
ACTIVATIONS = {
    "identity": Activation(
        lambda torch: lambda x: x,
        lambda torch: lambda gradient, x: gradient,
        "x",
        "sums",
        affine=True,
        kernel="y = x; d = all(1);",
    ),
    "relu": Activation(
        lambda torch: torch.nn.functional.relu,
        lambda torch: lambda gradient, x: torch.ops.aten.threshold_backward(gradient, x, 0),
        c="x < 0 ? 0 : x",
        numpy="np.maximum(sums, 0)",
        low=0.0,
        slow=True,
        kernel="y = choose(x < 0, all(0), x); d = choose(x > 0, all(1), all(0));",
    ),
    "leaky_relu": Activation(
        lambda torch: torch.nn.functional.leaky_relu,
        lambda torch: lambda gradient, x: torch.ops.aten.leaky_relu_backward(gradient, x, 0.01, False),
        c="x > 0 ? x : 0.01 * x",
        numpy="np.where(sums > 0, sums, 0.01 * sums)",
        written_out=lambda torch: lambda x: torch.where(x > 0, x, x / 100),
        kernel="d = choose(x > 0, all(1), all(c(0.01))); y = x * d;",
    ),
    "relu6": Activation(
        lambda torch: torch.nn.functional.relu6,
        lambda torch: lambda gradient, x: torch.ops.aten.hardtanh_backward(gradient, x, 0, 6),
        c="x < 0 ? 0 : x > 6 ? 6 : x",
        numpy="np.clip(sums, 0, 6)",
        low=0.0,
        high=6.0,
        kernel="""
            y = least(most(x, all(0)), all(6));
            d = choose((x > 0) & (x < 6), all(1), all(0));
        """,
    ),
    "elu": Activation(
        lambda torch: torch.nn.functional.elu,
        lambda torch: lambda gradient, x: torch.ops.aten.elu_backward(gradient, 1, 1, 1, False, x),
        c="x > 0 ? x : expm1(x)",
        numpy="np.where(sums > 0, sums, np.expm1(np.minimum(sums, 0)))",
        low=-1.0,
        written_out=lambda torch: lambda x: torch.where(x > 0, x, x.clamp(max=0).exp() - 1),
        kernel="""
            vec less = expm1_(least(x, all(0)));
            y = choose(x > 0, x, less);
            d = choose(x > 0, all(1), less + 1);
        """,
    ),
    "selu": Activation(
        lambda torch: torch.nn.functional.selu,
        lambda torch: lambda gradient, x: torch.ops.aten.elu_backward(gradient, ALPHA, SCALE, 1, False, x),
        c=f"{SCALE!r} * (x > 0 ? x : {ALPHA!r} * expm1(x))",
        numpy=f"{SCALE!r} * np.where(sums > 0, sums, {ALPHA!r} * np.expm1(np.minimum(sums, 0)))",
        low=-SCALE * ALPHA,
        written_out=lambda torch: (
            lambda x: (
                torch.tensor(SCALE, dtype=x.dtype)
                * torch.where(x > 0, x, torch.tensor(ALPHA, dtype=x.dtype) * (x.clamp(max=0).exp() - 1))
            )
        ),
        kernel="""
            vec less = c(1.6732632423543772848) * expm1_(least(x, all(0)));
            y = c(1.0507009873554804934) * choose(x > 0, x, less);
            d = c(1.0507009873554804934) * choose(x > 0, all(1), less + c(1.6732632423543772848));
        """,
    ),
    "silu": Activation(
        lambda torch: torch.nn.functional.silu,
        lambda torch: torch.ops.aten.silu_backward,
        c="x / (1 + exp(-x))",
        numpy="sums * 0.5 * (1 + np.tanh(0.5 * sums))",
        low=-0.27846454276107379,
        kernel="vec s = sigmoid_(x); y = x * s; d = s * (1 + x * (1 - s));",
    ),
    "gelu": Activation(
        lambda torch: torch.nn.functional.gelu,
        lambda torch: torch.ops.aten.gelu_backward,
        c="0.5 * x * (1 + erf(x * 0.70710678118654752440))",
        numpy="sums * 0.5 * (1 + np.vectorize(math.erf, otypes=[DTYPE])(sums / math.sqrt(2)))",
        low=-0.16997120747990369,
        in_float64=False,
        kernel="""
            vec density, below = normal_(x, &density);
            y = x * below;
            d = fma_(x, density, below);
        """,
    ),
    "mish": Activation(
        lambda torch: torch.nn.functional.mish,
        lambda torch: torch.ops.aten.mish_backward,
        c="x * tanh(x > 20 ? x : log1p(exp(x)))",
        numpy="sums * np.tanh(np.where(sums > 20, sums, np.log1p(np.exp(np.minimum(sums, 20)))))",
        low=-0.30884341301725041,
        written_out=lambda torch: lambda x: x * torch.where(x > 20, x, (1 + x.clamp(max=20).exp()).log()).tanh(),
        kernel="""
            vec e = exp_(-absolute(x)), more = choose(x < 0, e * (e + 2), 2 * e + 1);
            vec t = more / (more + choose(x < 0, all(2), 2 * e * e));
            y = x * t;
            d = t + x * sigmoid_(x) * (1 - t * t);
        """,
    ),
    "hardswish": Activation(
        lambda torch: torch.nn.functional.hardswish,
        lambda torch: torch.ops.aten.hardswish_backward,
        c="x < -3 ? 0 : x > 3 ? x : x * (x + 3) / 6",
        numpy="sums * np.clip(sums + 3, 0, 6) / 6",
        low=-0.375,
        written_out=lambda torch: lambda x: x * (x + 3).clamp(0, 6) / 6,
        kernel="""
            vec part = least(most(x + 3, all(0)), all(6)) / 6;
            y = x * part;
            d = choose(x < -3, all(0), choose(x > 3, all(1), x / 3 + c(0.5)));
        """,
    ),
    "tanh": Activation(
        lambda torch: torch.tanh,
        lambda torch: torch.ops.aten.tanh_backward,
        c="tanh(x)",
        numpy="np.tanh(sums)",
        low=-1.0,
        high=1.0,
        by_outputs=True,
        kernel="y = tanh_(x); d = 1 - y * y;",
    ),
    "hardtanh": Activation(
        lambda torch: torch.nn.functional.hardtanh,
        lambda torch: lambda gradient, x: torch.ops.aten.hardtanh_backward(gradient, x, -1, 1),
        c="x < -1 ? -1 : x > 1 ? 1 : x",
        numpy="np.clip(sums, -1, 1)",
        low=-1.0,
        high=1.0,
        kernel="""
            y = least(most(x, all(-1)), all(1));
            d = choose((x > -1) & (x < 1), all(1), all(0));
        """,
    ),
    "softsign": Activation(
        lambda torch: torch.nn.functional.softsign,
        lambda torch: lambda gradient, x: gradient / (1 + x.abs()).square(),
        c="x / (1 + fabs(x))",
        numpy="sums / (1 + np.abs(sums))",
        low=-1.0,
        high=1.0,
        written_out=lambda torch: lambda x: x / (1 + x.abs()),
        kernel="vec part = 1 / (1 + absolute(x)); y = x * part; d = part * part;",
    ),
    "sigmoid": Activation(
        lambda torch: torch.sigmoid,
        lambda torch: torch.ops.aten.sigmoid_backward,
        c="1 / (1 + exp(-x))",
        numpy="0.5 * (1 + np.tanh(0.5 * sums))",
        low=0.0,
        high=1.0,
        by_outputs=True,
        slow=True,
        kernel="y = sigmoid_(x); d = y * (1 - y);",
    ),
    "hardsigmoid": Activation(
        lambda torch: torch.nn.functional.hardsigmoid,
        lambda torch: lambda gradient, x: gradient * ((x > -3) & (x < 3)) / 6,
        c="x < -3 ? 0 : x > 3 ? 1 : (x + 3) / 6",
        numpy="np.clip(sums + 3, 0, 6) / 6",
        low=0.0,
        high=1.0,
        written_out=lambda torch: lambda x: (x + 3).clamp(0, 6) / 6,
        kernel="""
            y = least(most(x + 3, all(0)), all(6)) / 6;
            d = choose((x > -3) & (x < 3), all(c(1.0 / 6)), all(0));
        """,
    ),
    "logsigmoid": Activation(
        lambda torch: torch.nn.functional.logsigmoid,
        lambda torch: lambda gradient, x: gradient * torch.sigmoid(-x),
        c="x < 0 ? x - log1p(exp(x)) : -log1p(exp(-x))",
        numpy="np.minimum(sums, 0) - np.log1p(np.exp(-np.abs(sums)))",
        high=0.0,
        written_out=lambda torch: lambda x: x.clamp(max=0) - (1 + (-x.abs()).exp()).log(),
        kernel="y = -softplus_(-x); d = sigmoid_(-x);",
    ),
    "softplus": Activation(
        lambda torch: torch.nn.functional.softplus,
        lambda torch: lambda gradient, x: torch.ops.aten.softplus_backward(gradient, x, 1, 20),
        c="x > 20 ? x : log1p(exp(x))",
        numpy="np.where(sums > 20, sums, np.log1p(np.exp(np.minimum(sums, 20))))",
        low=0.0,
        written_out=lambda torch: lambda x: torch.where(x > 20, x, (1 + x.clamp(max=20).exp()).log()),
        slow=True,
        kernel="y = choose(x > 20, x, softplus_(x)); d = choose(x > 20, all(1), sigmoid_(x));",
    ),
    "tanhshrink": Activation(
        lambda torch: torch.nn.functional.tanhshrink,
        lambda torch: lambda gradient, x: gradient * x.tanh().square(),
        c="x - tanh(x)",
        numpy="sums - np.tanh(sums)",
        kernel="vec t = tanh_(x); y = x - t; d = t * t;",
    ),
    "softshrink": Activation(
        lambda torch: torch.nn.functional.softshrink,
        lambda torch: lambda gradient, x: torch.ops.aten.softshrink_backward(gradient, x, 0.5),
        c="x > 0.5 ? x - 0.5 : x < -0.5 ? x + 0.5 : 0",
        numpy="sums - np.clip(sums, -0.5, 0.5)",
        written_out=lambda torch: lambda x: x - x.clamp(-0.5, 0.5),
        kernel="""
            y = x - least(most(x, all(c(-0.5))), all(c(0.5)));
            d = choose(absolute(x) > c(0.5), all(1), all(0));
        """,
    ),
    "sin": Activation(
        lambda torch: torch.sin,
        lambda torch: lambda gradient, x: gradient * x.cos(),
        c="sin(x)",
        numpy="np.sin(sums)",
        low=-1.0,
        high=1.0,
        periodic=True,
        kernel="vec cosine; y = sin_(x, &cosine); d = cosine;",
    ),
}
