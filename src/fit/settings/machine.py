"""What this machine has, and settings that ask for more than that."""

import os
import platform
from itertools import pairwise
from pathlib import Path

from omegaconf import DictConfig

from fit.errors import FitError
from fit.messages import shown

# Those that this process may use.
CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def default_threads() -> int:
    """Return how many threads to use where nobody says it: all cores, or as many as OMP_NUM_THREADS allows.

    What starts several processes at once, as joblib does, shares the cores among them in this way.
    """
    limit = os.environ.get("OMP_NUM_THREADS", "")
    return min(CORES, max(1, int(limit))) if limit.isdigit() else CORES


def check_memory(cfg: DictConfig, rows: int | None = None) -> None:
    """Raise FitError for a model or data that plainly do not fit into this machine's memory.

    How many `rows` a table has is known once it is read.
    """
    if not hasattr(os, "sysconf"):
        return
    there = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    widths, points = list(cfg.model.get("hidden") or []), cfg.data.get("points")
    weights = sum(fan_in * fan_out for fan_in, fan_out in pairwise([2, *widths, 1]))
    rows = rows or (points if isinstance(points, int) else 1)
    size = cfg.data.get("batch_size")
    batch = min(rows, size) if isinstance(size, int) else rows
    # A weight with its gradient, optimizer state and copies; a row of doubles, and in a step its values in every layer.
    needed = 40 * weights + 200 * rows + 12 * sum(widths) * batch
    if needed > 0.8 * there:
        raise FitError(
            f"model.hidden={shown(cfg.model.get('hidden'))} with {rows} rows, {batch} in a step, "
            f"needs about {needed / 2**30:.0f} GiB, and this machine has {there / 2**30:.0f}: "
            "give narrower layers, fewer rows or a smaller data.batch_size."
        )


def check_accelerator(accelerator: str, precision: str) -> None:
    """Raise FitError for an accelerator that this machine plainly lacks (torch has the last word later)."""
    present = ["cpu"]
    if (
        any(Path(device).exists() for device in ("/dev/nvidiactl", "/dev/dxg", "/dev/kfd"))
        or platform.system() == "Windows"
    ):
        present += ["gpu", "cuda"]
    if platform.system() == "Darwin" and platform.machine() == "arm64":
        present += ["gpu", "mps"]
    if accelerator not in ("auto", *present):
        raise FitError(
            f"trainer.accelerator={accelerator} is not available on this machine: give auto or {' or '.join(present)}."
        )
    if precision == "64-true" and (accelerator == "mps" or (accelerator in ("auto", "gpu") and "mps" in present)):
        raise FitError("trainer.precision=64-true is not possible on mps: give 32-true, or trainer.accelerator=cpu.")
