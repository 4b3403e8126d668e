"""The curvature of a training loss: the largest eigenvalue of its Hessian."""

from collections.abc import Callable

import torch
from torch import Tensor

from fit.evaluation.losses import LossFunction
from fit.model.architecture import Networks

# Lanczos finds the largest eigenvalue to a percent long before this; each product costs two passes forward and back.
MOST_HESSIAN_PRODUCTS = 24
# The most numbers that the vectors of one Lanczos run may hold together.
MOST_NUMBERS = 2**24
# The iteration ends when the largest Ritz value changes by less than this fraction.
TOLERANCE = 1e-3

HessianProduct = Callable[[Tensor], Tensor]


def hessian_product(
    stack: Networks, inputs: Tensor, targets: Tensor, loss: LossFunction, l2: Tensor | float = 0.0
) -> HessianProduct:
    """Return a function that multiplies vectors `[members, parameters]` by each member's Hessian at its weights.

    Inputs and targets are `[members or 1, rows, columns]`, in the precision of the weights. Source: Pearlmutter, Fast
    Exact Multiplication by the Hessian (1994).
    """
    with torch.inference_mode(False), torch.enable_grad():
        theta = stack.theta.detach().clone().requires_grad_()
        error = stack.outputs(theta, inputs.clone()) - targets.clone()
        total = loss.value(error).sum() * loss.weight(error) + (l2 * theta.square()).sum()
        (gradient,) = torch.autograd.grad(total, theta, create_graph=True)

    def product(vector: Tensor) -> Tensor:
        """Multiply a vector by the Hessian."""
        with torch.inference_mode(False), torch.enable_grad():
            (result,) = torch.autograd.grad((gradient * vector).sum(), theta, retain_graph=True)
        return result.detach()

    return product


def largest_eigenvalue(product: HessianProduct, like: Tensor, most: int = MOST_HESSIAN_PRODUCTS) -> Tensor:
    """Return each member's largest eigenvalue `[members]` by Lanczos; `like` is a tensor `[members, parameters]`.

    A Ritz value is never above the true eigenvalue; with fewer products (`most`) it is a looser lower bound.
    Source: Golub and Van Loan, Matrix Computations, the Lanczos method with full reorthogonalization.
    """
    with torch.inference_mode(False), torch.no_grad():
        members, size = like.shape
        generator = torch.Generator().manual_seed(0)
        vector = torch.randn(1, size, generator=generator, dtype=like.dtype).to(like.device).expand(members, size)
        basis = [vector / torch.linalg.vector_norm(vector, dim=1, keepdim=True)]
        most = max(3, min(most, size, MOST_NUMBERS // like.numel()))
        projected = like.new_zeros(members, most, most)
        value = like.new_zeros(members)
        for step in range(most):
            image = product(basis[-1])
            for index, each in enumerate(basis):
                projected[:, step, index] = projected[:, index, step] = (image * each).sum(1)
            before, value = value, largest_dense_eigenvalue(projected[:, : step + 1, : step + 1])
            settled = step > 2 and bool(((value - before).abs() <= TOLERANCE * value.abs()).all())
            if settled or step + 1 == most:
                break
            for _ in range(2):
                for each in basis:
                    image = image - (image * each).sum(1, keepdim=True) * each
            norm = torch.linalg.vector_norm(image, dim=1, keepdim=True)
            basis.append(torch.where(norm > 0, image / norm, 0.0))
        return value


def largest_dense_eigenvalue(matrices: Tensor) -> Tensor:
    """Return the largest eigenvalue of symmetric matrices `[members, size, size]`; NaN where they are not finite."""
    finite = matrices.isfinite().all(2).all(1)
    values: Tensor = torch.linalg.eigvalsh(torch.where(finite[:, None, None], matrices, 0.0))[:, -1]
    return values.masked_fill(~finite, torch.nan)
