"""Numbers whose last bits depend on nothing but the settings."""

import os


def fix_products() -> None:
    """Have MKL compute products whose bits depend neither on a run's batch mates nor on memory addresses.

    MKL reads it at its first product.
    """
    os.environ.setdefault("MKL_CBWR", "AUTO,STRICT")
