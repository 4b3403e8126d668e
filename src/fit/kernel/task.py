"""What the kernel is handed, as kernel.c has it."""

from ctypes import Structure, c_double, c_int64, c_longlong, c_void_p

MOST_LAYERS = 32


class Task(Structure):
    """The steps of a call: the networks' shape, how they are trained, and where everything is in memory."""

    _fields_ = [
        ("layers", c_int64),
        ("sizes", c_int64 * (MOST_LAYERS + 1)),
        *((name, c_int64) for name in ("bias", "activation", "output_activation", "loss", "mean")),
        *((name, c_int64) for name in ("optimizer", "decoupled", "by_value", "penalized", "clipped")),
        *((name, c_int64) for name in ("members", "rows", "batch", "first", "steps", "parameters")),
        *((name, c_int64) for name in ("shared_rows", "orders", "mask_sets", "mask_numbers")),
        ("constants", c_double * 8),
        *((name, c_void_p) for name in ("inputs", "targets", "order", "order_of_member")),
        *((name, c_void_p) for name in ("masks", "mask_of_member", "scalars", "rates", "l1", "l2", "clip", "decay")),
        *((name, c_void_p) for name in ("theta", "gradient")),
        ("state", c_void_p * 3),
        ("totals", c_void_p),
        ("arena", c_void_p),
        ("arena_bytes", c_int64),
        *((name, c_longlong) for name in ("next", "arrived", "turn")),
    ]
