"""A step's mathematics: pure functions of tensors whose first dimension is the member."""

import torch
from torch import Tensor


def penalty_gradient(theta: Tensor, is_weight: Tensor, l1: Tensor, l2: Tensor) -> Tensor:
    """Return the gradient of `penalty` by `theta`, `[members, parameters]`."""
    return is_weight * (l1 * theta.sign() + 2 * l2 * theta)


def penalty(theta: Tensor, is_weight: Tensor, l1: Tensor, l2: Tensor) -> Tensor:
    """Return `l1 * sum |w| + l2 * sum w²` over the weights, not the biases, `[members]`."""
    weights = theta * is_weight
    return (l1 * weights.abs() + l2 * weights.square()).sum(1)


def clip(gradient: Tensor, limit: Tensor, algorithm: str) -> Tensor:
    """Limit each member's gradient `[members, parameters]` to `[members, 1]`: its norm, or the value of each number."""
    if algorithm == "value":
        return gradient.clamp(-limit, limit)
    norm: Tensor = torch.linalg.vector_norm(gradient, dim=1, keepdim=True)
    # Without a limit the factor is 1, whatever the norm: infinity over infinity is not.
    return gradient * torch.where(limit.isinf(), 1.0, limit / (norm + 1e-6)).clamp(max=1.0)
