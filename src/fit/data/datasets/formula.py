"""Formulas as people type them, computed by torch: only what is listed here is ever evaluated."""

import ast
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from unicodedata import normalize

import torch
from torch import Tensor

from fit.errors import FitError
from fit.messages import nearest, plural

LONGEST = 1000  # letters
DEEPEST = 200  # nested operations
CONSTANTS = {"pi": math.pi, "e": math.e}
FUNCTIONS: Mapping[str, Callable[..., Tensor]] = {
    name: getattr(torch, name)
    for name in (
        *("sin", "cos", "tan", "asin", "acos", "atan", "atan2", "sinh", "cosh", "tanh", "asinh", "acosh", "atanh"),
        *("exp", "expm1", "log", "log2", "log10", "log1p", "sqrt", "hypot", "erf"),
        *("abs", "sign", "floor", "ceil", "round", "minimum", "maximum", "where", "sigmoid", "relu"),
    )
}
OPERANDS = {"atan2": 2, "hypot": 2, "minimum": 2, "maximum": 2, "where": 3}
BINARY: Mapping[type[ast.AST], Callable[[Tensor, Tensor], Tensor]] = {
    ast.Add: torch.add,
    ast.Sub: torch.sub,
    ast.Mult: torch.mul,
    ast.Div: torch.div,
    ast.Pow: torch.pow,
    ast.Mod: torch.remainder,
    ast.Lt: torch.lt,
    ast.LtE: torch.le,
    ast.Gt: torch.gt,
    ast.GtE: torch.ge,
}


@dataclass(frozen=True)
class Formula:
    """A formula of named inputs; `parse` creates it, calling it computes it."""

    text: str
    tree: ast.expr

    @classmethod
    def parse(cls, text: str, inputs: tuple[str, ...]) -> "Formula":
        """Parse a formula; raise FitError for anything but arithmetic, FUNCTIONS, constants and inputs."""
        if len(text) > LONGEST:
            raise FitError(f"A formula of {len(text)} characters is too long: at most {LONGEST} are allowed.")
        try:
            tree = ast.parse(text.strip(), mode="eval").body
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            raise FitError(f"{text!r} cannot be read as a formula, such as sin(3*x)*exp(-x) or x**2.") from None
        names = tuple(map(normalize_name, inputs))
        if double := next((name for name in names if names.count(name) > 1), None):
            raise FitError(f"Two of the inputs {', '.join(inputs)} are both read as {double}: give one another name.")
        check_node(tree, text, names, DEEPEST)
        return cls(text, tree)

    def __call__(self, inputs: Mapping[str, Tensor]) -> Tensor:
        """Compute `[rows]` from each input's `[rows]`, float64."""
        rows = next(iter(inputs.values()))
        return (
            compute(self.tree, {normalize_name(name): each for name, each in inputs.items()})
            .to(rows.dtype)
            .expand_as(rows)
        )


def normalize_name(name: str) -> str:
    """Return a name as Python's parser normalizes it: it replaces look-alike letters, such as µ, by one of them."""
    return normalize("NFKC", name)


def check_node(node: ast.expr, text: str, inputs: tuple[str, ...], depth: int) -> None:
    """Raise FitError for the first part of a formula that is not allowed."""
    if depth == 0:
        raise FitError(f"{text!r} is nested too deeply: at most {DEEPEST} nested operations are allowed.")
    match node:
        case ast.Constant(value=bool() | complex() | str() | bytes() | None):
            raise not_allowed(node, text, "it is not a number")
        case ast.Constant(value=int() | float()):
            parts: list[ast.expr] = []
        case ast.Name(id=name):
            if name not in inputs and name not in CONSTANTS:
                raise not_allowed(node, text, f"it is not one of the inputs {', '.join(inputs)}{nearest(name, inputs)}")
            parts = []
        case ast.UnaryOp(op=ast.USub() | ast.UAdd(), operand=operand):
            parts = [operand]
        case ast.BinOp(op=ast.BitXor()):
            raise not_allowed(node, text, "write powers as **")
        case ast.BinOp(left=left, op=operator, right=right) if type(operator) in BINARY:
            parts = [left, right]
        case ast.Compare(left=left, ops=[operator], comparators=[right]) if type(operator) in BINARY:
            parts = [left, right]
        case ast.Call(func=ast.Name(id=name), args=parts, keywords=[]):
            if name not in FUNCTIONS:
                raise not_allowed(
                    node, text, f"the functions are {', '.join(FUNCTIONS)}{nearest(name, tuple(FUNCTIONS))}"
                )
            if len(parts) != OPERANDS.get(name, 1):
                raise not_allowed(node, text, f"{name} takes {plural(OPERANDS.get(name, 1), 'argument')}")
        case _:
            raise not_allowed(node, text, "only numbers, inputs, + - * / ** %, < > and functions such as sin(x) are")
    for part in parts:
        check_node(part, text, inputs, depth - 1)


def compute(node: ast.expr, inputs: Mapping[str, Tensor]) -> Tensor:
    """Compute a checked part of a formula."""
    match node:
        case ast.Constant(value=value):
            assert isinstance(value, int | float)
            return torch.tensor(to_float(value), dtype=torch.float64)
        case ast.Name(id=name):
            return inputs[name] if name in inputs else torch.tensor(CONSTANTS[name], dtype=torch.float64)
        case ast.UnaryOp(op=operator, operand=operand):
            part = compute_number(operand, inputs)
            return -part if isinstance(operator, ast.USub) else part
        case ast.BinOp(left=left, op=sign, right=right) | ast.Compare(left=left, ops=[sign], comparators=[right]):
            return BINARY[type(sign)](compute_number(left, inputs), compute_number(right, inputs))
        case ast.Call(func=ast.Name(id="where"), args=[condition, yes, no]):
            return torch.where(
                compute_number(condition, inputs) != 0, compute_number(yes, inputs), compute_number(no, inputs)
            )
        case ast.Call(func=ast.Name(id=name), args=args):
            return FUNCTIONS[name](*(compute_number(each, inputs) for each in args))
    raise AssertionError(node)


def compute_number(node: ast.expr, inputs: Mapping[str, Tensor]) -> Tensor:
    """Compute a part as a float64 number: a comparison is 1 if it holds, else 0."""
    return compute(node, inputs).double()


def to_float(value: float) -> float:
    """Convert a number to a double; one that is too large is infinite."""
    try:
        return float(value)
    except OverflowError:
        return math.inf


def not_allowed(node: ast.expr, text: str, why: str) -> FitError:
    """Return the error that a part of a formula is not allowed."""
    part = ast.get_source_segment(text.strip(), node) or text
    return FitError(f"{part!r} in the formula {text!r} is not allowed: {why}.")
