"""The activations by name, with the range of values that each can take (no torch needed to read this table)."""

import math
from typing import NamedTuple


class Range(NamedTuple):
    """The least and largest value that an activation can take."""

    low: float = -math.inf
    high: float = math.inf


# The minima of gelu and silu are the roots of their derivatives, to the last digit of a double.
ACTIVATIONS = {
    "identity": Range(),
    "relu": Range(low=0.0),
    "leaky_relu": Range(),
    "elu": Range(low=-1.0),
    "silu": Range(low=-0.27846454276107379),
    "gelu": Range(low=-0.16997120747990369),
    "tanh": Range(low=-1.0, high=1.0),
    "sigmoid": Range(low=0.0, high=1.0),
    "softplus": Range(low=0.0),
    "sin": Range(low=-1.0, high=1.0),
}
