"""Rewriting a traced graph of steps so that a CPU computes it fast."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, fx
from torch.overrides import TorchFunctionMode

aten = torch.ops.aten


class TensorFactors(TorchFunctionMode):
    """Lets in-place operations take tensors as `value` and `alpha`, as Adagrad does when it is traced."""

    def __torch_function__(
        self,
        func: Callable[..., object],
        types: object,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> object:
        """Write such an operation out."""
        kwargs = dict(kwargs or {})
        factor = kwargs.get("value", kwargs.get("alpha"))
        if isinstance(factor, Tensor) and func in (Tensor.addcdiv_, Tensor.addcmul_, Tensor.add_):
            target, first, *second = args
            product = first if not second else first / second[0] if func is Tensor.addcdiv_ else first * second[0]
            return target.add_(product * factor)
        return func(*args, **kwargs)


def is_number(node: fx.Node) -> bool:
    """Whether a node computes a tensor without dimensions."""
    value = node.meta.get("val")
    return isinstance(value, Tensor) and value.ndim == 0


def multiply_by_reciprocals(module: fx.GraphModule) -> None:
    """Turn divisions by numbers into products: a CPU divides many times slower than it multiplies."""
    for node in list(module.graph.nodes):
        if (
            node.target is aten.div.Tensor
            and isinstance(node.args[1], fx.Node)
            and is_number(node.args[1])
            and not is_number(node)
        ):
            with module.graph.inserting_before(node):
                inverse = module.graph.call_function(aten.reciprocal.default, (node.args[1],))
                inverse.meta["val"] = node.args[1].meta["val"]
                node.target, node.args = aten.mul.Tensor, (node.args[0], inverse)


def split(
    module: fx.GraphModule, tensors: int, doubles: int, written: int, dtype: torch.dtype
) -> tuple[fx.GraphModule, fx.GraphModule]:
    """Split a graph into what numbers alone decide, and the rest, which writes its first results over its inputs.

    Inductor would compute the numbers anew in each innermost loop.
    """
    nodes = list(module.graph.nodes)
    given = [node for node in nodes if node.op == "placeholder"]
    results: Sequence[fx.Node] = nodes[-1].args[0]
    decided = set(given[tensors:])
    for node in nodes:
        if is_number(node) and node.op in ("call_function", "get_attr") and decided.issuperset(node.all_input_nodes):
            decided.add(node)
    crossing = [
        n for n in nodes if n in decided and any(user not in decided and user.op != "output" for user in n.users)
    ]
    head, tail = fx.Graph(), fx.Graph()
    before: dict[fx.Node, fx.Node] = {}
    after: dict[fx.Node, fx.Node] = {}
    for node in nodes:
        if node in decided:
            before[node] = head.node_copy(node, before.__getitem__)
    packed = [head.call_function(aten._to_copy.default, (before[node],), {"dtype": dtype}) for node in crossing]
    packing = [head.call_function(aten.stack.default, (packed,))] if packed else []
    head.output([*(before[node] for node in results[written : written + doubles]), *packing])
    for node in given[:tensors]:
        after[node] = tail.node_copy(node)
    if crossing:
        numbers = tail.placeholder("numbers")
        numbers.meta["val"] = crossing[0].meta["val"].new_empty(len(crossing), dtype=dtype)
        for place, node in enumerate(crossing):
            number = tail.call_function(aten.select.int, (numbers, 0, place))
            if node.meta["val"].dtype == torch.bool:
                number = tail.call_function(aten.ne.Scalar, (number, 0))
            after[node] = number
    for node in nodes[:-1]:
        if node not in after and node not in decided:
            after[node] = tail.node_copy(node, after.__getitem__)
    for place, node in zip(given, results[:written], strict=False):
        tail.call_function(aten.copy_.default, (after[place], after[node]))
    tail.output([after[results[-1]]])
    for graph in (head, tail):
        graph.eliminate_dead_code()
    return fx.GraphModule(module, head), fx.GraphModule(module, tail)
